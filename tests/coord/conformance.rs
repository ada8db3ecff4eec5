//! The cases that every store must pass, over each store that there is.

use super::cases;
use std::sync::Arc;
use ziggurat::coord::{MemoryStore, Store};

macro_rules! conformance {
    ($($case:ident,)*) => {
        mod memory {
            use super::*;
            $(
                #[tokio::test(start_paused = true)]
                async fn $case() {
                    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
                    cases::$case(store).await;
                }
            )*
        }
    };
}

cases::for_each_case!(conformance);
