//! How numbers are laid out in the store.

/// Which keys and values stand for numbers that are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum IdLayout {
    /// That of gochat's Go services: key `/im-infra/allocators/<service>/ids/<n>`, value `<n>`.
    #[default]
    Allocators,
    /// Key `/gochat/instances/<service>/<n>`, value `<n>`.
    Instances,
    /// Key `/gochat/machine_ids/<n>`, value `acquired`: one set of numbers for all services, as it
    /// takes to make ids that are unique across them.
    MachineIds,
}

// === impl IdLayout ===

impl IdLayout {
    pub(super) fn prefix(self, service: &str) -> String {
        match self {
            Self::Allocators => format!("/im-infra/allocators/{service}/ids/"),
            Self::Instances => format!("/gochat/instances/{service}/"),
            Self::MachineIds => "/gochat/machine_ids/".to_owned(),
        }
    }

    pub(super) fn value(self, number: u16) -> String {
        match self {
            Self::Allocators | Self::Instances => number.to_string(),
            Self::MachineIds => "acquired".to_owned(),
        }
    }
}

/// The number that a key under the prefix stands for, if it is written as we would.
pub(super) fn number(prefix: &str, key: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(key.strip_prefix(prefix.as_bytes())?).ok()?;
    let number: u16 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_number_is_one() {
        assert_eq!(number("/ids/", b"/ids/5"), Some(5));
        let others = ["", "05", "+5", "-1", "5/1", "65536", "x", " 5"];
        for other in others {
            assert_eq!(number("/ids/", format!("/ids/{other}").as_bytes()), None);
        }
        assert_eq!(number("/ids/", b"/other/5"), None);
    }
}
