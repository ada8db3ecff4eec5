//! By TLS, with certificates on both sides, as a user of the database that the address names.

use super::support::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::time::Duration;
use ziggurat::quota::{OnOutage, RedisQuota, RedisTls};
use ziggurat_testkit::RedisServer;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // OpenSSL takes who has the name of its issuer for self-signed.
    params
        .distinguished_name
        .push(DnType::CommonName, "authority");
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for this name, and its key.
fn issue(authority: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    (certificate.pem(), key.serialize_pem())
}

fn known(trusted: &Authority, own: &Authority) -> RedisTls {
    let (certificate, key) = issue(own, "client");
    RedisTls::mutual(trusted.pem(), certificate, key).unwrap()
}

fn quota(url: &str, tls: RedisTls) -> RedisQuota {
    let quota = RedisQuota::secure(url, tls, OnOutage::Closed).unwrap();
    quota.timeout(Duration::from_secs(10)).unwrap()
}

#[tokio::test]
async fn both_sides_show_a_certificate_and_neither_trusts_a_strange_one() {
    let (ours, strange) = (authority(), authority());
    let (certificate, key) = issue(&ours, "127.0.0.1");
    let server = RedisServer::start_secure(&certificate, &key, &ours.pem()).await;
    let url = server.url();
    assert!(url.starts_with("rediss://"));

    let secure = limiter(&quota(&url, known(&ours, &ours)), burst_only(3));
    assert_eq!(admitted(&secure, "a", 5).await, 3);
    // Another process, over another connection, has the same limit.
    let other = limiter(&quota(&url, known(&ours, &ours)), burst_only(3));
    assert_eq!(admitted(&other, "a", 5).await, 0);

    let refused = [
        known(&strange, &ours),
        known(&ours, &strange),
        RedisTls::new(ours.pem()).unwrap(),
        known(&ours, &ours).server_name("other").unwrap(),
    ];
    for tls in refused {
        let quota = quota(&url, tls);
        let limiter = limiter(&quota, burst_only(3));
        assert!(call(&limiter, "b").await.is_err());
        eventually("it is out of reach", async || {
            let _refused = call(&limiter, "b").await;
            !quota.is_reachable()
        })
        .await;
    }
}

#[tokio::test]
async fn the_address_names_user_password_and_database() {
    let server = RedisServer::start_with(&["--user", "ann", "on", ">s@crt", "~*", "+@all"]).await;
    let at = server.address();
    let url = format!("redis://ann:s%40crt@{at}/3");
    let quota = RedisQuota::open(&url, OnOutage::Closed).unwrap();
    let quota = quota.timeout(Duration::from_secs(10)).unwrap();
    assert!(call(&limiter(&quota, burst_only(3)), "a").await.is_ok());
    let mut third = look_at(&url).await;
    let keys: Vec<String> = ask(&mut third, &["KEYS", "*"]).await;
    assert_eq!(keys, ["ziggurat:limit:login:a"]);
    let mut first = look(&server).await;
    assert_eq!(ask::<u64>(&mut first, &["DBSIZE"]).await, 0);

    let wrong = format!("redis://ann:hunter2@{at}/3");
    let quota = RedisQuota::open(&wrong, OnOutage::Closed).unwrap();
    assert!(call(&limiter(&quota, burst_only(3)), "a").await.is_err());
    assert!(!format!("{quota:?}").contains("hunter2"));
}
