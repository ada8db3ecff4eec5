//! Values by method: data that a policy can be read into, not code.

use std::sync::Arc;
use ziggurat_core::InvalidSetting;

/// A value for each of some methods and services, such as their [`Settings`](crate::Settings).
///
/// The most exact name holds, as in gRPC's service config (`methodConfig`, gRFC A2):
///
/// | name | holds for |
/// |---|---|
/// | `/package.Service/Method` | this method, or this path of plain HTTP |
/// | `/package.Service/` | all methods of the service that have none of their own |
/// | [`otherwise`](Self::otherwise) | all others |
///
/// Who is not found here at all has what the layer has. A search compares a few names and allocates
/// nothing.
///
/// ```
/// use std::num::NonZeroU32;
/// use ziggurat_retry::{Methods, RetryLayer, Settings};
///
/// let (reads, writes) = (Settings::new().assume_idempotent(true), Settings::new());
/// let methods = Methods::new()
///     .on("/shop.Cart/", writes.attempts(NonZeroU32::MIN))?
///     .on("/shop.Cart/Get", reads)?;
/// let layer = RetryLayer::default().by_method(methods);
/// # drop(layer);
/// # Ok::<_, ziggurat_core::InvalidSetting>(())
/// ```
#[derive(Clone, Debug)]
pub struct Methods<T> {
    /// By length, and then by name: names of one service begin alike, and few are as long as another.
    rows: Vec<(Box<str>, Arc<T>)>,
    others: Option<Arc<T>>,
}

// === impl Methods ===

impl<T> Methods<T> {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            rows: Vec::new(),
            others: None,
        }
    }

    /// For this method, `/package.Service/Method`, or with a slash at the end for this service.
    ///
    /// # Errors
    ///
    /// If it is no such name, or was given before.
    pub fn on(mut self, name: &str, value: T) -> Result<Self, InvalidSetting> {
        let foreign = |byte: u8| matches!(byte, b'?' | b'#') || !byte.is_ascii_graphic();
        if !name.starts_with('/') || name.bytes().any(foreign) {
            let rule = "must be /package.Service/Method or /package.Service/";
            return Err(invalid(name, rule));
        }
        match self.place(name) {
            Ok(_) => Err(invalid(name, "must be given once")),
            Err(place) => {
                self.rows.insert(place, (name.into(), Arc::new(value)));
                Ok(self)
            }
        }
    }

    /// For all that have no name here.
    #[must_use]
    pub fn otherwise(mut self, value: T) -> Self {
        self.others = Some(Arc::new(value));
        self
    }

    /// What holds for the method of this path.
    #[must_use]
    pub fn of(&self, path: &str) -> Option<&T> {
        self.find(Some(path)).map(|value| &**value)
    }

    /// What holds for a method, or for whatever has none.
    pub(crate) fn find(&self, path: Option<&str>) -> Option<&Arc<T>> {
        path.and_then(|path| self.named(path))
            .or(self.others.as_ref())
    }

    fn named(&self, path: &str) -> Option<&Arc<T>> {
        let service = || {
            let slash = path.bytes().rposition(|byte| byte == b'/')?;
            self.place(path.get(..=slash)?).ok()
        };
        let place = self.place(path).ok().or_else(service)?;
        self.rows.get(place).map(|(_, value)| value)
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.rows
            .binary_search_by(|(row, _)| (row.len(), &**row).cmp(&(name.len(), name)))
    }
}

impl<T> Default for Methods<T> {
    fn default() -> Self {
        Self::new()
    }
}

fn invalid(name: &str, rule: &'static str) -> InvalidSetting {
    InvalidSetting::new("methods", "name", name, rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_exact_name_holds() {
        let methods = Methods::new()
            .on("/shop.Cart/Get", 1)
            .and_then(|methods| methods.on("/shop.Cart/", 2))
            .and_then(|methods| methods.on("/shop.Carts/Get", 3))
            .and_then(|methods| methods.on("/users/7/orders", 4))
            .and_then(|methods| methods.on("/users/7/", 5))
            .unwrap();
        for (path, value) in [
            ("/shop.Cart/Get", Some(1)),
            ("/shop.Cart/GetAll", Some(2)),
            ("/shop.Cart/Ge", Some(2)),
            ("/shop.Cart/", Some(2)),
            ("/shop.Cart", None),
            ("/shop.Carts/Get", Some(3)),
            ("/shop.Carts/Put", None),
            ("/users/7/orders", Some(4)),
            ("/users/7/name", Some(5)),
            ("/users/7/orders/1", None),
            ("/users/", None),
            ("/", None),
            ("", None),
            ("*", None),
            ("/shop.Cärt/Get", None),
        ] {
            assert_eq!(methods.of(path).copied(), value, "{path}");
            let all = methods.clone().otherwise(9);
            assert_eq!(all.of(path).copied(), value.or(Some(9)), "{path}");
        }
        assert_eq!(methods.find(None), None);
        assert_eq!(
            methods.otherwise(9).find(None).map(|value| **value),
            Some(9)
        );
    }

    #[test]
    fn names_that_are_none_or_come_twice_are_refused() {
        let refused = |name: &str| {
            let refused = Methods::new().on("/a/b", 1).and_then(|one| one.on(name, 2));
            refused.map(|_| ()).unwrap_err().to_string()
        };
        for name in [
            "",
            "a/b",
            "shop.Cart",
            "/a/b?c",
            "/a/b#c",
            "/a b",
            "/ä/b",
            "/a/\n",
        ] {
            assert!(refused(name).contains("/package.Service/Method"), "{name}");
        }
        assert!(refused("/a/b").contains("\"/a/b\" must be given once"));
    }
}
