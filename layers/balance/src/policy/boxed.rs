//! A policy that is chosen while the program runs.

use super::{Arrange, Call, Candidates, Endpoints, P2c, Policy};
use crate::LoadReports;
use std::{
    any::{Any, type_name},
    fmt,
};

/// Any [`Policy`] for requests of the type `Req`.
///
/// Balancers that go by different policies are of one type with it, so that a setting can choose, and
/// what is stacked above does not depend on the choice. [`P2c`] is kept in place and costs a pick one
/// branch more; any other policy costs it an indirect call.
///
/// A clone is a clone of the policy.
///
/// # Example
///
/// ```
/// use std::convert::Infallible;
/// use tower::{Layer, ServiceExt, discover::ServiceList, service_fn};
/// use ziggurat_balance::{BalanceLayer, BoxPolicy, Foreign, LeastRequest, RingHash, RoundRobin};
/// use ziggurat_core::ByResult;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower::BoxError> {
/// for name in ["in turn", "least busy", "by key", "default"] {
///     let policy = match name {
///         "in turn" => BoxPolicy::new(RoundRobin::weighted()),
///         "least busy" => BoxPolicy::new(LeastRequest::default()),
///         "by key" => BoxPolicy::new(RingHash::by(|number: &u32| Some(u64::from(*number)))),
///         _ => BoxPolicy::default(),
///     };
///     let double = service_fn(|n: u32| async move { Ok::<_, Infallible>(2 * n) });
///     let service = BalanceLayer::new(policy)
///         .classify_with(ByResult)
///         .layer(Foreign::new("double", ServiceList::new::<u32>(vec![double, double])));
///     assert_eq!(service.oneshot(21).await?, 42);
/// }
/// # Ok(())
/// # }
/// ```
pub struct BoxPolicy<Req>(Kind<Req>);

/// What a [`BoxPolicy`] looks things up in.
pub struct BoxTable(Option<Box<dyn Any + Send + Sync>>);

enum Kind<Req> {
    /// The default: what is most common is picked by without a detour.
    P2c(P2c),
    Other(Box<dyn Erased<Req>>),
}

/// [`Policy`], without its types.
trait Erased<Req>: Send + Sync {
    fn arrange_any(&self, endpoints: &Endpoints<'_>) -> BoxTable;

    fn reports(&self) -> Option<LoadReports>;

    fn pick_any(
        &self,
        table: &BoxTable,
        among: &Candidates<'_>,
        call: &Call<'_, Req>,
    ) -> Option<usize>;

    fn boxed(&self) -> Box<dyn Erased<Req>>;

    fn name(&self) -> &'static str;
}

// === impl BoxPolicy ===

impl<Req: 'static> BoxPolicy<Req> {
    /// Picks by `policy`.
    #[must_use]
    pub fn new(policy: impl Policy<Req>) -> Self {
        let any: &dyn Any = &policy;
        if let Some(boxed) = any.downcast_ref::<Self>() {
            return boxed.clone();
        }
        match any.downcast_ref::<P2c>() {
            Some(p2c) => Self(Kind::P2c(p2c.clone())),
            None => Self(Kind::Other(Box::new(policy))),
        }
    }
}

/// [`P2c`].
impl<Req> Default for BoxPolicy<Req> {
    fn default() -> Self {
        Self(Kind::P2c(P2c::default()))
    }
}

impl<Req> Clone for BoxPolicy<Req> {
    fn clone(&self) -> Self {
        match &self.0 {
            Kind::P2c(p2c) => Self(Kind::P2c(p2c.clone())),
            Kind::Other(other) => Self(Kind::Other(other.boxed())),
        }
    }
}

impl<Req: 'static> Arrange for BoxPolicy<Req> {
    type Table = BoxTable;

    fn arrange(&self, endpoints: &Endpoints<'_>) -> BoxTable {
        match &self.0 {
            Kind::P2c(_) => BoxTable(None),
            Kind::Other(other) => other.arrange_any(endpoints),
        }
    }

    fn load_reports(&self) -> Option<LoadReports> {
        match &self.0 {
            Kind::P2c(_) => None,
            Kind::Other(other) => other.reports(),
        }
    }
}

impl<Req: 'static> Policy<Req> for BoxPolicy<Req> {
    #[inline(always)]
    fn pick(
        &self,
        table: &BoxTable,
        among: &Candidates<'_>,
        call: &Call<'_, Req>,
    ) -> Option<usize> {
        match &self.0 {
            Kind::P2c(p2c) => p2c.pick(&(), among, call),
            Kind::Other(other) => other.pick_any(table, among, call),
        }
    }
}

impl<Req> fmt::Debug for BoxPolicy<Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.0 {
            Kind::P2c(_) => type_name::<P2c>(),
            Kind::Other(other) => other.name(),
        };
        f.debug_tuple("BoxPolicy")
            .field(&format_args!("{name}"))
            .finish()
    }
}

// === impl BoxTable ===

impl fmt::Debug for BoxTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxTable").finish_non_exhaustive()
    }
}

// === impl Erased ===

impl<Req: 'static, P: Policy<Req>> Erased<Req> for P {
    fn arrange_any(&self, endpoints: &Endpoints<'_>) -> BoxTable {
        BoxTable(Some(Box::new(self.arrange(endpoints))))
    }

    fn reports(&self) -> Option<LoadReports> {
        self.load_reports()
    }

    fn pick_any(
        &self,
        table: &BoxTable,
        among: &Candidates<'_>,
        call: &Call<'_, Req>,
    ) -> Option<usize> {
        match table.0.as_deref().and_then(|any| any.downcast_ref()) {
            Some(table) => self.pick(table, among, call),
            // That of another policy: a balancer has one policy and its tables.
            None => among.best(call),
        }
    }

    fn boxed(&self) -> Box<dyn Erased<Req>> {
        Box::new(self.clone())
    }

    fn name(&self) -> &'static str {
        type_name::<Self>()
    }
}

#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        LeastRequest, RingHash, RoundRobin,
        policy::field::{Field, keyed},
    };
    use ziggurat_core::Dice;

    fn name(policy: impl Policy<()>) -> String {
        let names = format!("{:?}", BoxPolicy::new(policy));
        names.rsplit("::").next().unwrap_or_default().to_owned()
    }

    /// Looks things up in what is none of its tables.
    #[derive(Clone)]
    struct Mixed(BoxPolicy<()>);

    impl Arrange for Mixed {
        type Table = BoxTable;

        fn arrange(&self, _: &Endpoints<'_>) -> BoxTable {
            BoxTable(Some(Box::new("another's")))
        }
    }

    impl Policy<()> for Mixed {
        fn pick(
            &self,
            table: &BoxTable,
            among: &Candidates<'_>,
            call: &Call<'_, ()>,
        ) -> Option<usize> {
            self.0.pick(table, among, call)
        }
    }

    /// Are its picks those of the policy in it?
    fn is_transparent<P: Policy<()>>(policy: impl Fn() -> P) -> bool {
        let weights = [5, 3, 2];
        let words = keyed(7);
        let of = |words| Field::of(policy(), &weights).picks(200, words, false);
        let boxed = |words| Field::of(BoxPolicy::new(policy()), &weights).picks(200, words, false);
        of(None) == boxed(None) && of(Some(&words)) == boxed(Some(&words))
    }

    #[test]
    fn it_picks_as_the_policy_in_it_does() {
        let dice = || Dice::seeded(7);
        assert!(is_transparent(|| P2c::new(dice())));
        assert!(is_transparent(|| RoundRobin::weighted().dice(dice())));
        assert!(is_transparent(|| RingHash::new().dice(dice())));
        assert!(is_transparent(|| BoxPolicy::new(
            RingHash::new().dice(dice())
        )));
    }

    #[test]
    fn it_says_what_is_in_it_and_is_boxed_once() {
        assert_eq!(name(P2c::default()), "P2c)");
        assert_eq!(name(LeastRequest::default()), "LeastRequest)");
        assert_eq!(name(BoxPolicy::new(RoundRobin::plain())), "RoundRobin)");
        assert_eq!(name(BoxPolicy::<()>::default()), "P2c)");
    }

    #[test]
    fn it_wants_the_reports_that_the_policy_in_it_wants() {
        let reports = |policy: BoxPolicy<()>| policy.load_reports().is_some();
        assert!(reports(BoxPolicy::new(RoundRobin::by_load(
            LoadReports::new()
        ))));
        assert!(!reports(BoxPolicy::new(RoundRobin::weighted())));
        assert!(!reports(BoxPolicy::default()));
    }

    #[test]
    fn the_table_of_another_policy_is_no_reason_to_panic() {
        let mixed = Mixed(BoxPolicy::new(RoundRobin::plain()));
        assert!(Field::of(mixed, &[1; 3]).pick().is_some());
    }
}
