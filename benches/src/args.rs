//! The command line.

use std::time::Duration;

/// How long to measure, and what.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) quick: bool,
    layers: Vec<String>,
}

// === impl Args ===

impl Args {
    pub(crate) const USAGE: &str = "usage: cargo bench --bench NAME -- [--quick] [--layer NAME]...\n\
        \n  --quick        few and short rounds: shows that every row works, measures little\
        \n  --layer NAME   only this layer, or part of a bench; may be given again";

    /// # Errors
    ///
    /// What could not be understood.
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut args = Self {
            quick: false,
            layers: Vec::new(),
        };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                // cargo passes it to every bench.
                "--bench" => {}
                "--quick" => args.quick = true,
                "--layer" => args
                    .layers
                    .push(words.next().ok_or("--layer needs a name")?),
                other => match other.strip_prefix("--layer=") {
                    Some(name) => args.layers.push(name.to_owned()),
                    None => return Err(format!("unknown argument {other}")),
                },
            }
        }
        Ok(args)
    }

    pub(crate) fn wants(&self, layer: &str) -> bool {
        self.layers.is_empty() || self.layers.iter().any(|name| name == layer)
    }

    /// The first layer asked for that is none of `known`.
    pub(crate) fn stray(&self, known: impl Fn(&str) -> bool) -> Option<&str> {
        self.layers
            .iter()
            .map(String::as_str)
            .find(|name| !known(name))
    }

    /// Rounds of a row, and the time that a subject gets in each.
    pub(crate) const fn pace(&self) -> (usize, Duration) {
        if self.quick {
            (3, Duration::from_micros(300))
        } else {
            (41, Duration::from_millis(4))
        }
    }

    /// Calls whose allocations are counted.
    pub(crate) const fn counted(&self) -> u32 {
        if self.quick { 64 } else { 1024 }
    }
}

#[cfg(test)]
mod tests {
    use super::Args;

    fn parse(line: &str) -> Result<Args, String> {
        Args::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn the_flag_that_cargo_passes_is_ignored() {
        let args = parse("--quick --bench").unwrap();
        assert!(args.quick);
        assert!(args.wants("retry"));
    }

    #[test]
    fn only_the_named_layers_are_wanted() {
        let args = parse("--layer retry --layer=limit --bench").unwrap();
        assert!(args.wants("retry") && args.wants("limit") && !args.wants("breaker"));
        assert_eq!(args.stray(|name| name == "retry"), Some("limit"));
    }

    #[test]
    fn a_word_that_means_nothing_is_refused() {
        assert!(parse("--fast").is_err());
        assert!(parse("--layer").is_err());
    }
}
