//! Sheets that heads are copied to, used again.

use super::Sheet;
use std::cell::RefCell;

/// How many sheets a thread keeps: a call has one, and most are back when the next begins.
const MOST_KEPT: usize = 256;

thread_local! {
    #[allow(clippy::vec_box, reason = "a sheet is written on where it lies, and moves nowhere")]
    static KEPT: RefCell<Vec<Box<Sheet>>> = const { RefCell::new(Vec::new()) };
}

/// One that nothing is written on.
#[inline]
pub(super) fn take() -> Box<Sheet> {
    // A thread that ends has none left, and calls may still be made there.
    let kept = KEPT.try_with(|kept| kept.borrow_mut().pop());
    kept.ok().flatten().unwrap_or_else(new)
}

#[cold]
fn new() -> Box<Sheet> {
    Box::new(Sheet::blank())
}

#[inline]
pub(super) fn give_back(mut sheet: Box<Sheet>) {
    // Before it is kept: what is somebody else's may do anything as it is dropped.
    sheet.wipe();
    if sheet.headers.has_grown() {
        return;
    }
    _ = KEPT.try_with(|kept| {
        let mut kept = kept.borrow_mut();
        if kept.len() < MOST_KEPT {
            kept.push(sheet);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::Copied;
    use http::Request;
    use std::sync::Arc;

    fn kept() -> usize {
        KEPT.with_borrow(Vec::len)
    }

    fn copied(headers: usize, life: &Arc<()>) -> Copied {
        let mut request = Request::put("http://shop/a");
        for n in 0..headers {
            request = request.header(format!("x-{n}"), n);
        }
        let request = request.extension(Arc::clone(life)).body(());
        Copied::of(&request.unwrap(), None, None)
    }

    #[test]
    fn a_sheet_is_used_again_and_keeps_nothing_of_a_call() {
        let life = Arc::new(());
        let mut many: Vec<_> = (0..300).map(|_| copied(3, &life)).collect();
        assert_eq!(kept(), 0);
        drop(many.pop());
        assert_eq!(kept(), 1);
        drop(copied(5, &life));
        assert_eq!(kept(), 1);
        KEPT.with_borrow(|kept| {
            assert!(kept[0].headers.map().is_empty());
            assert_eq!(kept[0].uri, "/");
        });
        drop(many);
        assert_eq!((kept(), Arc::strong_count(&life)), (MOST_KEPT, 1));
    }

    #[test]
    fn a_sheet_that_has_grown_is_not_kept() {
        let life = Arc::new(());
        drop(copied(100, &life));
        assert_eq!((kept(), Arc::strong_count(&life)), (0, 1));
    }
}
