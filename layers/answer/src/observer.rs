//! What the layer has to tell.

use std::error::Error;
use ziggurat_core::Code;

/// Is told which errors were answered, after it has been decided how.
///
/// One that panics changes nothing: the answer is given all the same.
pub trait Observer: Send + Sync + 'static {
    /// A rejection was answered with this code.
    fn rejected(&self, code: Code, error: &(dyn Error + 'static)) {
        let _ = (code, error);
    }

    /// Nobody meant this error for a peer: INTERNAL was answered, or a body was cut off.
    fn unexpected(&self, error: &(dyn Error + 'static)) {
        let _ = error;
    }
}

/// Tells nobody.
impl Observer for () {}
