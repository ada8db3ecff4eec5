//! What a request carries beside its head, kept for a second one.

use crate::{CallOptions, Deadline};
use http::Extensions;
use std::{fmt, sync::Arc};

/// The words of a request that has none but these: [`CallOptions`], a [`Deadline`], with the feature
/// `tonic` the name of its method that generated clients write, and [one of somebody
/// else's](KnownWord).
///
/// [`Extensions`] can be cloned only as a whole, one allocation for each word and two more; these are
/// copied, and made words again when somebody needs them.
///
/// ```
/// use http::Extensions;
/// use ziggurat_core::{CallOptions, KnownWord, Words};
///
/// let mut extensions = Extensions::new();
/// extensions.insert(CallOptions::new().idempotent(true));
/// let words = Words::of(&extensions, None).ok_or("nothing but ours")?;
/// assert_eq!(words.extensions().get(), extensions.get::<CallOptions>());
///
/// extensions.insert("theirs");
/// assert!(Words::of(&extensions, None).is_none());
/// let words = Words::of(&extensions, Some(KnownWord::of::<&str>())).ok_or("theirs is known")?;
/// assert_eq!(words.extensions().get(), Some(&"theirs"));
/// # Ok::<_, &str>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Words {
    options: Option<CallOptions>,
    deadline: Option<Deadline>,
    #[cfg(feature = "tonic")]
    method: Option<tonic::GrpcMethod<'static>>,
    theirs: Option<Arc<dyn Word>>,
}

/// A word that is not of this crate and that most requests carry all the same, as the place in its
/// trace.
#[derive(Clone, Copy)]
pub struct KnownWord(fn(&Extensions) -> Option<Arc<dyn Word>>);

/// A request extension whose type is not told.
trait Word: Send + Sync {
    fn write(&self, extensions: &mut Extensions);
}

// === impl KnownWord ===

impl KnownWord {
    /// An extension of this type; it is cloned into an allocation of its own.
    #[must_use]
    pub const fn of<T: Clone + Send + Sync + 'static>() -> Self {
        Self(|extensions| {
            let word = extensions.get::<T>()?.clone();
            Some(Arc::new(word))
        })
    }
}

impl fmt::Debug for KnownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KnownWord")
    }
}

// === impl Word ===

impl<T: Clone + Send + Sync + 'static> Word for T {
    fn write(&self, extensions: &mut Extensions) {
        extensions.insert(self.clone());
    }
}

impl fmt::Debug for dyn Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Word")
    }
}

// === impl Words ===

impl Words {
    /// `None`: there are others among them, besides one that is `known`.
    #[must_use]
    #[inline]
    pub fn of(extensions: &Extensions, known: Option<KnownWord>) -> Option<Self> {
        if extensions.is_empty() {
            return Some(Self::default());
        }
        let mut words = Self {
            options: extensions.get().copied(),
            deadline: extensions.get().copied(),
            #[cfg(feature = "tonic")]
            method: extensions.get().cloned(),
            theirs: None,
        };
        // Only if that is all which is missing: it costs an allocation.
        if words.len() + 1 == extensions.len() {
            words.theirs = known.and_then(|KnownWord(find)| find(extensions));
        }
        (words.len() == extensions.len()).then_some(words)
    }

    /// The deadline among them.
    #[must_use]
    #[inline]
    pub const fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// Is none of them somebody else's?
    #[must_use]
    #[inline]
    pub const fn are_ours(&self) -> bool {
        self.theirs.is_none()
    }

    /// The words, as a request carries them.
    #[must_use]
    pub fn extensions(&self) -> Extensions {
        let mut extensions = Extensions::new();
        if let Some(options) = self.options {
            extensions.insert(options);
        }
        if let Some(deadline) = self.deadline {
            extensions.insert(deadline);
        }
        #[cfg(feature = "tonic")]
        if let Some(method) = &self.method {
            extensions.insert(method.clone());
        }
        if let Some(theirs) = &self.theirs {
            // The word itself: what shares it would be one, too.
            (**theirs).write(&mut extensions);
        }
        extensions
    }

    #[inline]
    fn len(&self) -> usize {
        let ours = usize::from(self.options.is_some()) + usize::from(self.deadline.is_some());
        #[cfg(feature = "tonic")]
        let ours = ours + usize::from(self.method.is_some());
        ours + usize::from(self.theirs.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn words_come_back_as_they_were_unless_somebody_elses_are_among_them() {
        let options = CallOptions::new().hash_key(7);
        let deadline = Deadline::at(clock::now());
        let str = KnownWord::of::<&str>();
        let other = KnownWord::of::<u64>();
        for (theirs, known, kept) in [
            (false, None, true),
            (false, Some(str), true),
            (true, None, false),
            (true, Some(other), false),
            (true, Some(str), true),
        ] {
            let mut extensions = Extensions::new();
            let none = Words::of(&extensions, known).unwrap();
            assert!(none.extensions().is_empty());
            extensions.insert(options);
            extensions.insert(deadline);
            #[cfg(feature = "tonic")]
            extensions.insert(tonic::GrpcMethod::new("shop.Cart", "Get"));
            if theirs {
                extensions.insert("theirs");
            }
            let words = Words::of(&extensions, known);
            assert_eq!(words.is_some(), kept);
            let Some(words) = words else {
                continue;
            };
            assert_eq!(words.deadline(), Some(deadline));
            assert_eq!(words.are_ours(), !theirs);
            let back = words.extensions();
            assert_eq!(back.len(), extensions.len());
            assert_eq!(back.get(), Some(&options));
            assert_eq!(back.get(), Some(&deadline));
            assert_eq!(back.get::<&str>().is_some(), theirs);
            #[cfg(feature = "tonic")]
            assert_eq!(back.get::<tonic::GrpcMethod<'_>>().unwrap().method(), "Get");
        }
    }
}
