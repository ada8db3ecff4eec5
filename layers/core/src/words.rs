//! What a request carries beside its head, kept for a second one.

use crate::{CallOptions, Deadline};
use http::Extensions;

/// The words of a request that has none but these: [`CallOptions`], a [`Deadline`] and, with the feature
/// `tonic`, the name of its method that generated clients write.
///
/// [`Extensions`] can be cloned only as a whole, one allocation for each word and two more; these are
/// copied, and made words again when somebody needs them.
///
/// ```
/// use http::Extensions;
/// use ziggurat_core::{CallOptions, Words};
///
/// let mut extensions = Extensions::new();
/// extensions.insert(CallOptions::new().idempotent(true));
/// let words = Words::of(&extensions).ok_or("nothing but ours")?;
/// assert_eq!(words.extensions().get(), extensions.get::<CallOptions>());
///
/// extensions.insert("theirs");
/// assert!(Words::of(&extensions).is_none());
/// # Ok::<_, &str>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Words {
    options: Option<CallOptions>,
    deadline: Option<Deadline>,
    #[cfg(feature = "tonic")]
    method: Option<tonic::GrpcMethod<'static>>,
}

// === impl Words ===

impl Words {
    /// `None`: there are others among them.
    #[must_use]
    #[inline]
    pub fn of(extensions: &Extensions) -> Option<Self> {
        if extensions.is_empty() {
            return Some(Self::default());
        }
        let words = Self {
            options: extensions.get().copied(),
            deadline: extensions.get().copied(),
            #[cfg(feature = "tonic")]
            method: extensions.get().cloned(),
        };
        (words.len() == extensions.len()).then_some(words)
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
        extensions
    }

    #[inline]
    fn len(&self) -> usize {
        let ours = usize::from(self.options.is_some()) + usize::from(self.deadline.is_some());
        #[cfg(feature = "tonic")]
        let ours = ours + usize::from(self.method.is_some());
        ours
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
        for others in [false, true] {
            let mut extensions = Extensions::new();
            assert!(Words::of(&extensions).unwrap().extensions().is_empty());
            extensions.insert(options);
            extensions.insert(deadline);
            #[cfg(feature = "tonic")]
            extensions.insert(tonic::GrpcMethod::new("shop.Cart", "Get"));
            if others {
                extensions.insert("theirs");
                assert!(Words::of(&extensions).is_none());
                continue;
            }
            let back = Words::of(&extensions).unwrap().extensions();
            assert_eq!(back.len(), extensions.len());
            assert_eq!(back.get(), Some(&options));
            assert_eq!(back.get(), Some(&deadline));
            #[cfg(feature = "tonic")]
            assert_eq!(back.get::<tonic::GrpcMethod<'_>>().unwrap().method(), "Get");
        }
    }
}
