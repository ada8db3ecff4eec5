//! The gateway of the examples, over HTTP.

#[path = "../../examples/gateway/app.rs"]
pub(crate) mod app;
#[path = "../../examples/gateway/backends.rs"]
mod backends;
#[path = "../../examples/gateway/check.rs"]
mod check;

use backends::Backends;
use std::time::Duration;
use tokio::time;
use ziggurat::{client::Ziggurat, coord::Registry};
use ziggurat_testkit::bounded;

#[tokio::test]
async fn the_gateway_keeps_what_it_says_of_itself() {
    bounded();
    let registry = Registry::memory();
    let _backends = Backends::start(&registry).await.unwrap();
    let ziggurat = Ziggurat::new(registry);
    let checked = time::timeout(Duration::from_secs(120), check::all(&ziggurat)).await;
    assert!(checked.unwrap().unwrap(), "some sentence above says NO");
}
