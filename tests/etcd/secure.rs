//! By TLS, with certificates on both sides.

use super::support::{collect, put};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::time::Duration;
use ziggurat::coord::{EtcdSettings, EtcdStore, EtcdTls, Keys, Store, StoreError, Watch};
use ziggurat_testkit::Etcd;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for this name, and its key.
fn issue(authority: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    (certificate.pem(), key.serialize_pem())
}

#[tokio::test]
async fn both_sides_show_a_certificate_and_neither_trusts_a_strange_one() {
    let (ours, strange) = (authority(), authority());
    let (certificate, key) = issue(&ours, "127.0.0.1");
    let etcd = Etcd::start_secure(&certificate, &key, &ours.pem()).await;
    let connect = async |tls: EtcdTls| {
        let settings = EtcdSettings::secure([etcd.url()], tls).unwrap();
        let settings = settings.try_timeout(Duration::from_secs(1)).unwrap();
        EtcdStore::connect(settings).await
    };
    let trusting = |authority: &Authority| EtcdTls::new(authority.pem()).unwrap();
    let known = |tls: EtcdTls| {
        let (certificate, key) = issue(&ours, "client");
        tls.identity(certificate, key).unwrap()
    };

    let store = connect(known(trusting(&ours))).await.unwrap();
    let revision = put(&store, "a", "1").await;
    let mut watch = store.watch(Watch::new(Keys::one("a")).from(revision));
    assert_eq!(collect(&mut watch, revision).await, ["+a 1"]);

    let refused = async |tls: EtcdTls| connect(tls).await.unwrap_err();
    let unavailable = |error: StoreError| assert!(error.is_transient(), "{error:?}");
    unavailable(refused(known(trusting(&strange))).await);
    unavailable(refused(trusting(&ours)).await);
    unavailable(refused(known(trusting(&ours)).server_name("other")).await);

    // What only looks like a certificate is found out before anybody is asked.
    let nonsense = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
    let identity = trusting(&ours).identity(nonsense, key.as_str()).unwrap();
    let error = refused(identity).await;
    let found = matches!(&error, StoreError::InvalidArgument { field: "tls", .. });
    assert!(found, "{error:?}");
}
