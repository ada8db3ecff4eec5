//! Names that become parts of keys, and must stay where they are put.

use super::store::StoreError;

/// The longest name, in bytes.
const MAX_NAME: usize = 255;

/// Refuses a name of one or several parts that is none: empty, too long, or not what it looks like.
pub(super) fn check_path(field: &'static str, name: &str) -> Result<(), StoreError> {
    check(field, name, name.split('/'))
}

/// Refuses a name of one part that is none.
pub(super) fn check_part(field: &'static str, name: &str) -> Result<(), StoreError> {
    if name.contains('/') {
        return Err(StoreError::invalid(
            field,
            cut(name),
            "must not hold a slash",
        ));
    }
    check(field, name, std::iter::once(name))
}

fn check<'a>(
    field: &'static str,
    name: &str,
    mut parts: impl Iterator<Item = &'a str>,
) -> Result<(), StoreError> {
    if name.len() > MAX_NAME {
        let rule = "must be at most 255 bytes";
        return Err(StoreError::invalid(field, cut(name), rule));
    }
    if name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        let rule = "must not hold spaces or control characters";
        return Err(StoreError::invalid(field, name.escape_debug(), rule));
    }
    if parts.any(|part| matches!(part, "" | "." | "..")) {
        let rule = "must not be empty, `.` or `..`, nor have such a part";
        return Err(StoreError::invalid(field, name, rule));
    }
    Ok(())
}

fn cut(name: &str) -> String {
    name.chars()
        .take(MAX_NAME)
        .flat_map(char::escape_debug)
        .collect()
}
