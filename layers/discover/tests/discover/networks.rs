//! Who names an address outside of the house is not believed.

use futures_util::StreamExt;
use ziggurat_core::{Change, Instance, Resolve};
use ziggurat_discover::{Networks, ResolveExt, Watched};

fn at(id: &str, address: &str) -> Instance {
    Instance::new("echo", id, address, 80).unwrap()
}

#[tokio::test]
async fn only_those_within_the_networks_are_said_and_who_moves_out_of_them_has_left() {
    let (say, watched) = Watched::channel([
        at("a", "10.0.0.1"),
        at("b", "fd00::1"),
        at("meta", "169.254.169.254"),
        at("named", "10.evil.example"),
        Instance::unix("echo", "local", "/run/docker.sock").unwrap(),
    ]);
    let networks = Networks::new(["10.0.0.0/8", "fd00::/8"]).unwrap();
    let mut changes = watched.within(networks).resolve("echo");
    let Some(Ok(Change::All(all))) = changes.next().await else {
        panic!("all come first");
    };
    let said: Vec<_> = all.iter().map(|one| one.id().as_str()).collect();
    assert_eq!(said, ["a", "b"]);
    let moved = vec![at("a", "192.0.2.1"), at("b", "fd00::1")];
    say.send(moved).unwrap();
    let change = changes.next().await.unwrap().unwrap();
    assert!(
        matches!(&change, Change::Left(id) if id.as_str() == "a"),
        "{change:?}"
    );
}
