//! Lists whose elements may have quotes, read from their end.

/// The elements of `text` between `separator`s that stand in no quotes, the last first.
///
/// Which quotes belong together is told from the right, where whoever wrote last wrote: what stands
/// further left, an open quote too, says nothing about it.
pub(super) fn from_the_right(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut left = Some(text);
    std::iter::from_fn(move || {
        let text = left?;
        let Some(at) = last(text.as_bytes(), separator) else {
            return left.take();
        };
        left = Some(&text[..at]);
        Some(&text[at + 1..])
    })
}

/// A token, or what is quoted; `None` if the quotes are no pair around it.
pub(super) fn value(text: &str) -> Option<&str> {
    let text = text.trim();
    let inner = match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?,
        None => text,
    };
    (!inner.contains('"')).then_some(inner)
}

fn last(text: &[u8], separator: u8) -> Option<usize> {
    let mut quoted = false;
    (0..text.len()).rev().find(|&at| {
        if text[at] == b'"' && !is_escaped(text, at) {
            quoted = !quoted;
        }
        text[at] == separator && !quoted
    })
}

fn is_escaped(text: &[u8], at: usize) -> bool {
    let slashes = text[..at].iter().rev().take_while(|byte| **byte == b'\\');
    slashes.count() % 2 == 1
}
