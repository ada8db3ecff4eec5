//! Users and what they may do, changing while we are in the middle of something.

use super::{
    follower::{Follower, LONG, echo},
    support::put,
};
use etcd_client::{Client, ConnectOptions, Permission, RoleRevokePermissionOptions};
use std::{sync::Arc, time::Duration};
use tokio::time;
use ziggurat::coord::{
    EtcdSettings, EtcdStore, Range, RegistrationState as State, Registry, Store, StoreError,
};
use ziggurat_core::Resolve;
use ziggurat_testkit::{Etcd, Proxy};

const SECOND: Duration = Duration::from_secs(1);
const ENTRY: &str = r#"{"Op":0,"Addr":"10.0.0.9:80"}"#;

/// An etcd whose tokens last two seconds, where `app` may do what it likes under `echo/`.
async fn guarded() -> Etcd {
    let etcd = Etcd::start_with(&["--auth-token-ttl=2"]).await;
    let mut admin = Client::connect([etcd.url()], None).await.unwrap();
    for (user, role) in [("root", "root"), ("app", "echo")] {
        admin.user_add(user, "secret", None).await.unwrap();
        if role != "root" {
            admin.role_add(role).await.unwrap();
        }
        admin.user_grant_role(user, role).await.unwrap();
    }
    grant(&mut admin, "echo/").await;
    admin.auth_enable().await.unwrap();
    etcd
}

async fn grant(admin: &mut Client, prefix: &str) {
    let permission = Permission::read_write(prefix).with_prefix();
    admin
        .role_grant_permission("echo", permission)
        .await
        .unwrap();
}

/// A new one each time, as its token does not last.
async fn admin(etcd: &Etcd) -> Client {
    let options = ConnectOptions::new().with_user("root", "secret");
    Client::connect([etcd.url()], Some(options)).await.unwrap()
}

async fn store(url: String, user: &str) -> Arc<EtcdStore> {
    let settings = EtcdSettings::new([url]).unwrap().user(user, "secret");
    let settings = settings.try_timeout(SECOND).unwrap();
    let settings = settings.silence(SECOND).unwrap();
    Arc::new(EtcdStore::connect(settings).await.unwrap())
}

#[tokio::test]
async fn a_token_that_ends_in_the_middle_of_a_watch_and_of_renewals_costs_nothing() {
    let etcd = guarded().await;
    let proxy = Proxy::start(etcd.address()).await;
    let (ours, root) = (
        store(proxy.url(), "app").await,
        store(etcd.url(), "root").await,
    );
    let registry = Registry::new(ours.clone() as _);
    let registering = registry.register(echo("a")).ttl(3 * SECOND);
    let registration = registering.await.unwrap();
    let mut follower = Follower::of(&registry);
    follower.until(&["a"]).await;
    let lease = async || {
        let found = root.range(Range::one("echo/a")).await.unwrap();
        found.kvs[0].lease
    };
    let first = lease().await;
    for n in 0..2 {
        // Only the watch and the renewals go on, longer than a token lasts.
        time::sleep(4 * SECOND).await;
        put(&*root, &format!("echo/b{n}"), ENTRY).await;
        let known: &[&str] = if n == 0 {
            &["a", "b0"]
        } else {
            &["a", "b0", "b1"]
        };
        follower.until(known).await;
        // What was not asked for a while: a question, a watch, a change.
        assert_eq!(registry.list("echo").await.unwrap().len(), n + 2);
        time::sleep(3 * SECOND).await;
        let mut late = Follower::of(&Registry::new(ours.clone() as _));
        late.until(known).await;
        assert_eq!(late.troubles, 0);
        time::sleep(3 * SECOND).await;
        registration
            .update(echo("a").with_metadata("n", n.to_string()))
            .await
            .unwrap();
        proxy.cut();
    }
    assert_eq!(registration.state(), State::Registered);
    assert_eq!(lease().await, first, "it was renewed all the time");
}

#[tokio::test]
async fn rights_that_change_in_the_middle_are_felt_and_recovered_from() {
    let etcd = guarded().await;
    let (ours, root) = (
        store(etcd.url(), "app").await,
        store(etcd.url(), "root").await,
    );
    let registry = Registry::new(ours.clone() as _);
    let registration = registry.register(echo("a")).ttl(3 * SECOND).await.unwrap();
    let mut follower = Follower::of(&registry);
    follower.until(&["a"]).await;
    // Every change of users and roles raises the revision of who may do what.
    for n in 0..5 {
        grant(&mut admin(&etcd).await, &format!("other{n}/")).await;
        registration
            .update(echo("a").with_metadata("n", n.to_string()))
            .await
            .unwrap();
        registry.list("echo").await.unwrap();
        put(&*root, "echo/b", ENTRY).await;
        follower.until(&["a", "b"]).await;
        root.delete(ziggurat::coord::Delete::one("echo/b"))
            .await
            .unwrap();
        follower.until(&["a"]).await;
    }
    let renewed = ours.grant(5 * SECOND).await.unwrap().id;
    ours.keep_alive(renewed).await.unwrap();

    // Without its right it is told so, and its instance stays known.
    let prefix = RoleRevokePermissionOptions::new().with_prefix();
    let revoked = admin(&etcd).await;
    let mut revoked = revoked;
    revoked
        .role_revoke_permission("echo", "echo/", Some(prefix))
        .await
        .unwrap();
    let denied = registry.list("echo").await.unwrap_err();
    assert!(matches!(denied, StoreError::Denied { .. }), "{denied}");
    let mut late = Follower::of(&Registry::new(ours.clone() as _));
    while late.troubles == 0 {
        late.next().await;
    }
    let update = registration.update(echo("a").with_metadata("n", "last"));
    assert!(time::timeout(2 * SECOND, update).await.is_err());
    grant(&mut admin(&etcd).await, "echo/").await;
    late.until(&["a"]).await;
    time::timeout(LONG, async {
        while late.known["a"].metadata().get("n").map(String::as_str) != Some("last") {
            late.next().await;
        }
    })
    .await
    .unwrap();
    assert!(follower.known.contains_key("a"));
    drop(registry.resolve("echo"));
}

#[tokio::test]
async fn a_new_password_is_felt_by_whoever_signs_in_after_it_and_by_nobody_before() {
    let etcd = guarded().await;
    let ours = store(etcd.url(), "app").await;
    let registry = Registry::new(ours.clone() as _);
    let _registration = registry.register(echo("a")).ttl(3 * SECOND).await.unwrap();
    admin(&etcd)
        .await
        .user_change_password("app", "other")
        .await
        .unwrap();
    let denied = registry.list("echo").await.unwrap_err();
    assert!(matches!(denied, StoreError::Denied { .. }), "{denied}");
    admin(&etcd)
        .await
        .user_change_password("app", "secret")
        .await
        .unwrap();
    assert_eq!(registry.list("echo").await.unwrap(), [echo("a")]);
}
