//! Headers, written down.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The headers of a request, as text: what is shared is counted at every copy and drop of it, and what
/// was never shared allocates to be.
#[derive(Default)]
pub(super) struct Page {
    /// Names and values, one after another.
    text: Vec<u8>,
    rows: Vec<Row>,
    /// Values that take longer to copy than to share, in the order of their rows.
    long: Vec<HeaderValue>,
}

/// One header.
#[derive(Clone, Copy)]
struct Row {
    name: u32,
    /// `None`: it is long.
    value: Option<u32>,
    sensitive: bool,
}

/// From so many bytes a value is long.
const LONG: usize = 512;
/// A page with room for more bytes or rows is not kept.
const MOST_TEXT: usize = 4_096;
const MOST_ROWS: usize = 64;

// === impl Page ===

impl Page {
    #[inline]
    pub(super) fn write(&mut self, headers: &HeaderMap) {
        for (name, value) in headers {
            self.add(name, value);
        }
    }

    #[inline]
    fn add(&mut self, name: &HeaderName, value: &HeaderValue) {
        let (name, text) = (name.as_str().as_bytes(), value.as_bytes());
        self.text.extend_from_slice(name);
        let is_short = text.len() < LONG;
        if is_short {
            self.text.extend_from_slice(text);
        } else {
            self.long.push(value.clone());
        }
        self.rows.push(Row {
            // No name is longer than 64 KiB, and no such value longer than a few bytes.
            name: name.len() as u32,
            value: is_short.then_some(text.len() as u32),
            sensitive: value.is_sensitive(),
        });
    }

    /// As a request has them, with room for what the layers inside add.
    pub(super) fn map(&self) -> HeaderMap {
        // Not as many as there are rows, if those are many: of one name there may be more values than a
        // map has room for names.
        let mut map = HeaderMap::with_capacity((self.rows.len() + 4).min(MOST_ROWS));
        let (mut text, mut long) = (&*self.text, self.long.iter());
        for row in &self.rows {
            // They are lower case by now, and HTTP/2 allows more in them than HTTP/1.
            let name = HeaderName::from_lowercase(take(&mut text, row.name));
            let value = match row.value {
                Some(length) => HeaderValue::from_bytes(take(&mut text, length)).ok(),
                None => long.next().cloned(),
            };
            // Both were such before, and are again.
            if let (Ok(name), Some(mut value)) = (name, value) {
                value.set_sensitive(row.sensitive);
                map.append(name, value);
            }
        }
        map
    }

    /// Nothing is written on it any more.
    #[inline]
    pub(super) fn wipe(&mut self) {
        self.blot();
        self.text.clear();
        self.rows.clear();
        self.long.clear();
    }

    /// What is kept for another call says nothing of this one. All of it: few who send credentials mark
    /// them as sensitive, and to look for their names takes longer.
    #[inline]
    fn blot(&mut self) {
        self.text.fill(0);
    }

    /// Has it become too large to be kept?
    #[inline]
    pub(super) fn has_grown(&self) -> bool {
        let rows = self.rows.capacity().max(self.long.capacity());
        self.text.capacity() > MOST_TEXT || rows > MOST_ROWS
    }
}

fn take<'t>(text: &mut &'t [u8], length: u32) -> &'t [u8] {
    let (taken, rest) = text.split_at_checked(length as usize).unwrap_or_default();
    *text = rest;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::{AUTHORIZATION, COOKIE};

    fn headers() -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut secret = HeaderValue::from_static("Bearer token");
        secret.set_sensitive(true);
        headers.insert(AUTHORIZATION, secret);
        for length in [0, 1, LONG - 1, LONG, 3 * LONG] {
            let text = "\u{e9}".repeat(length).into_bytes();
            let value = HeaderValue::from_bytes(&text[..length]).unwrap();
            headers.append(COOKIE, value.clone());
            let own = HeaderName::from_bytes("x".repeat(length + 1).as_bytes());
            headers.append(own.unwrap(), value);
        }
        headers
    }

    #[test]
    fn headers_come_back_as_they_were_and_in_their_order() {
        let mut page = Page::default();
        for headers in [HeaderMap::new(), headers(), HeaderMap::new(), headers()] {
            page.write(&headers);
            for _ in 0..2 {
                let back = page.map();
                assert_eq!(back, headers);
                assert!(back.keys().eq(headers.keys()));
                let sensitive = |(one, other): (&HeaderValue, &HeaderValue)| {
                    one.is_sensitive() == other.is_sensitive()
                };
                assert!(back.values().zip(headers.values()).all(sensitive));
            }
            page.wipe();
            assert!(page.map().is_empty());
        }
    }

    #[test]
    fn one_name_may_have_more_values_than_there_can_be_names() {
        let mut headers = HeaderMap::new();
        for n in 0..40_000_u32 {
            headers.append(COOKIE, HeaderValue::from(n));
        }
        let mut page = Page::default();
        page.write(&headers);
        assert_eq!(page.map(), headers);
    }

    #[test]
    fn whatever_names_and_values_can_hold_comes_back() {
        let mut headers = HeaderMap::new();
        for byte in 0..=u8::MAX {
            // As HTTP/2 has them, which allows more; and as HTTP/1 has them.
            let names = [
                HeaderName::from_lowercase(&[byte]),
                HeaderName::from_lowercase(&[byte; 70]),
                HeaderName::from_bytes(&[byte]),
            ];
            for name in names.into_iter().flatten() {
                headers.append(name, HeaderValue::from(u16::from(byte)));
            }
            if let Ok(value) = HeaderValue::from_bytes(&[byte; 2]) {
                headers.append(COOKIE, value);
            }
        }
        let mut page = Page::default();
        page.write(&headers);
        assert_eq!(page.map(), headers);
    }

    #[test]
    fn nothing_that_was_said_is_left_on_a_page_that_is_kept() {
        let mut page = Page::default();
        let mut headers = headers();
        for name in ["authorization", "x-session"] {
            headers.insert(name, HeaderValue::from_static("not marked as secret"));
        }
        page.write(&headers);
        assert!(page.text.contains(&b'k'));
        page.blot();
        assert!(page.text.iter().all(|byte| *byte == 0));
    }
}
