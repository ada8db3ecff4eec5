//! The embedded store does what every store must.

use std::sync::Arc;
use ziggurat::{
    coord::{MemoryStore, conformance::Scripts},
    core::Dice,
};

ziggurat::store_conformance! {
    #[tokio::test(start_paused = true)]
    |case| case.run(Arc::new(MemoryStore::new())).await
}

#[tokio::test(start_paused = true)]
async fn five_hundred_random_scripts_end_as_the_model_says() {
    let scripts = Scripts::new(1).count(500).exact();
    scripts.play(&MemoryStore::new()).await;
}

#[tokio::test(start_paused = true)]
async fn scripts_that_nobody_has_played_before_end_as_the_model_says() {
    let scripts = Scripts::new(Dice::new().number()).count(50).steps(300);
    scripts.exact().play(&MemoryStore::new()).await;
}
