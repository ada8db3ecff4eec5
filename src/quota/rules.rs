//! Rates by name: of the code, and of the config center.

mod follow;
mod rule;

pub use self::rule::Rule;

use self::follow::Follower;
use crate::coord::{ConfigCenter, ConfigError};
use std::{collections::HashMap, error::Error, fmt, sync::Arc};
use ziggurat_core::{Code, InvalidSetting, Live, Rejection};
use ziggurat_limit::Rate;

/// The rates of rules, by name; clones are the same set.
///
/// ```
/// use ziggurat::{coord::ConfigCenter, quota::{OnUnknown, Rule, RuleSet}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let center = ConfigCenter::memory();
/// center.set("dev/im-gateway/ratelimit/login", &Rule::new(2.5, 10)).await?;
///
/// let rules = RuleSet::new(OnUnknown::Closed).rule("login", Rule::new(5.0, 10))?;
/// let rules = rules.follow(&center, "dev", "im-gateway").await?;
/// let Some(rate) = rules.rate("login") else { panic!("it is there") };
/// assert_eq!(rate.to_string(), "2500 per 1000s, 10 at once");
/// assert!(rules.rate("logout").is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RuleSet {
    /// Of the code.
    own: Rates,
    unknown: OnUnknown,
    live: Live<Rates>,
    follower: Option<Arc<Follower>>,
}

/// What becomes of calls by a rule that nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum OnUnknown {
    /// They are admitted, without a limit, and counted.
    Open,
    /// They fail with [`UnknownRule`].
    Closed,
}

/// Nobody knows the rule by which a call is limited. It stands for FAILED_PRECONDITION.
#[derive(Clone, Debug)]
pub struct UnknownRule {
    rule: Arc<str>,
    rejection: Rejection,
}

type Rates = Arc<HashMap<String, Rate>>;

/// The rules of gochat: name, calls a second, burst.
const GOCHAT: [(&str, f64, u32); 10] = [
    ("api_default", 100.0, 200),
    ("user_action", 10.0, 20),
    ("login", 5.0, 10),
    ("register", 1.0, 3),
    ("password_reset", 0.1, 1),
    ("sms_send", 0.5, 2),
    ("email_send", 1.0, 5),
    ("file_upload", 2.0, 10),
    ("ws_message", 50.0, 100),
    ("heavy_operation", 1.0, 2),
];

// === impl RuleSet ===

impl RuleSet {
    /// No rules yet.
    #[must_use]
    pub fn new(unknown: OnUnknown) -> Self {
        Self {
            own: Rates::default(),
            unknown,
            live: Live::fixed(Rates::default()),
            follower: None,
        }
    }

    /// The rules that gochat's services start with.
    #[must_use]
    pub fn gochat(unknown: OnUnknown) -> Self {
        let rules = GOCHAT.into_iter().map(|(name, rate, capacity)| {
            let rate = Rule::new(rate, capacity).to_rate();
            (name.to_owned(), rate.expect("the numbers are right"))
        });
        Self::new(unknown).with(rules.collect())
    }

    /// Another rule, or another rate for one that is there. What the set followed it follows no more.
    ///
    /// # Errors
    ///
    /// If the rule makes no sense; see [`Rule`].
    pub fn rule(self, name: &str, rule: Rule) -> Result<Self, InvalidSetting> {
        let mut rules = HashMap::clone(&self.own);
        rules.insert(name.to_owned(), rule.to_rate()?);
        Ok(self.with(rules))
    }

    /// Lets the config center outrank the rules of the code, now and whenever it changes:
    /// `<environment>/<service>/ratelimit/<rule>` holds a [`Rule`] as JSON. If gochat wrote it, it is
    /// found where that puts it, too, under `config/` once more; of two the newer counts.
    ///
    /// A rule that is no good, or is deleted, changes nothing if the code has none of its name: the
    /// last good one stays in force. So a store that lost what it held takes no limit away. A rule of
    /// the code is in force again when the one that outranks it is deleted.
    ///
    /// The task that follows ends with the last clone, and the last layer that uses one.
    ///
    /// # Errors
    ///
    /// If the center cannot be asked, or refuses the path.
    pub async fn follow(
        self,
        center: &ConfigCenter,
        environment: &str,
        service: &str,
    ) -> Result<Self, ConfigError> {
        let own = Arc::clone(&self.own);
        let (follower, live) = Follower::start(own, center, environment, service).await?;
        Ok(Self {
            live,
            follower: Some(Arc::new(follower)),
            ..self
        })
    }

    /// The rate of a rule, if there is one.
    #[must_use]
    pub fn rate(&self, rule: &str) -> Option<Rate> {
        self.live.read(|rates| rates.get(rule).copied())
    }

    /// How many settings of the config center were no rules so far, and how often it was out of reach.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.follower
            .as_ref()
            .map_or(0, |follower| follower.errors())
    }

    pub(super) fn admits_unknown(&self) -> bool {
        self.unknown == OnUnknown::Open
    }

    fn with(self, rules: HashMap<String, Rate>) -> Self {
        let own = Rates::new(rules);
        Self {
            live: Live::fixed(Arc::clone(&own)),
            own,
            follower: None,
            ..self
        }
    }
}

impl fmt::Debug for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuleSet")
            .field("rates", &self.live.read(Arc::clone))
            .field("unknown", &self.unknown)
            .finish_non_exhaustive()
    }
}

// === impl UnknownRule ===

impl UnknownRule {
    pub(super) fn new(rule: &Arc<str>) -> Self {
        Self {
            rule: Arc::clone(rule),
            rejection: Rejection::decided(Code::FailedPrecondition, "no such rate limit rule"),
        }
    }

    /// Its name.
    #[must_use]
    pub fn rule(&self) -> &str {
        &self.rule
    }
}

impl fmt::Display for UnknownRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no rate limit rule {:?}", self.rule)
    }
}

impl Error for UnknownRule {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejection)
    }
}

#[cfg(test)]
mod tests;
