//! Who said goodbye, so that whoever is told late is told that as well.

use std::collections::BTreeMap;
use ziggurat_core::EndpointId;

/// The instances whose last departure was a goodbye; the latest ones, if there are too many.
#[derive(Clone, Debug, Default)]
pub(super) struct Goodbyes {
    /// With their number, which grows.
    said: BTreeMap<EndpointId, u64>,
    count: u64,
}

/// A follower that is so far behind takes the others as vanished.
const MAX: usize = 4_096;

// === impl Goodbyes ===

impl Goodbyes {
    /// It said goodbye and went.
    pub(super) fn add(&mut self, id: EndpointId) {
        self.count += 1;
        self.said.insert(id, self.count);
        if self.said.len() > MAX {
            // Half of them at once, so that it costs little for each.
            let oldest_left = self.count - MAX as u64 / 2;
            self.said.retain(|_, number| *number > oldest_left);
        }
    }

    /// It is there again, or went without a word.
    pub(super) fn forget(&mut self, id: &EndpointId) {
        self.said.remove(id);
    }

    pub(super) fn contains(&self, id: &EndpointId) -> bool {
        self.said.contains_key(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_of_many_are_remembered() {
        let id = |n: usize| EndpointId::new(n.to_string());
        let mut goodbyes = Goodbyes::default();
        for n in 0..10 * MAX {
            goodbyes.add(id(n));
            assert!(goodbyes.contains(&id(n)) && goodbyes.said.len() <= MAX);
            assert!(n == 0 || goodbyes.contains(&id(n - 1)));
        }
        goodbyes.forget(&id(10 * MAX - 1));
        assert!(!goodbyes.contains(&id(10 * MAX - 1)));
        assert!(!goodbyes.contains(&id(0)));
    }
}
