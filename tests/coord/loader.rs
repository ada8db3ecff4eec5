//! Settings from several sources.

use futures_util::FutureExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use ziggurat::coord::{
    CenterSource, ConfigCenter, ConfigError, ConfigLoader, ConfigSource, ConfigValue, EnvSource,
    FileSource, Json, LoadError, SourceFuture, ValueSource, duration,
};
use ziggurat_core::{BoxError, InvalidSetting, error};

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Settings {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) server: Server,
    #[serde(default)]
    pub(super) peers: Vec<String>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Server {
    pub(super) port: Option<u16>,
    #[serde(default)]
    pub(super) tls: bool,
    #[serde(default, with = "duration::option")]
    pub(super) timeout: Option<Duration>,
}

impl ConfigValue for Settings {
    fn set_defaults(&mut self) {
        self.server.port.get_or_insert(8080);
        self.server.timeout.get_or_insert(Duration::from_secs(5));
    }

    fn validate(&self) -> Result<(), BoxError> {
        if self.server.port.is_none_or(|port| port == 0) {
            let rule = "must be above zero";
            return Err(InvalidSetting::new("server", "port", self.server.port, rule).into());
        }
        Ok(())
    }
}

/// Fails, or counts that it was asked.
struct Scripted(Result<(), &'static str>, Arc<AtomicUsize>);

impl ConfigSource for Scripted {
    fn name(&self) -> &str {
        "scripted"
    }

    fn load(&self) -> SourceFuture<'_> {
        self.1.fetch_add(1, SeqCst);
        let answer = self.0.map(|()| Value::Null).map_err(BoxError::from);
        Box::pin(std::future::ready(answer))
    }
}

pub(super) fn written(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("loader-{name}"));
    fs::write(&path, text).unwrap();
    path
}

pub(super) fn loader() -> ConfigLoader<Settings> {
    ConfigLoader::new()
}

pub(super) fn env(vars: &[(&str, &str)]) -> EnvSource {
    EnvSource::prefixed("APP_").vars(vars.iter().copied())
}

/// What it loads; nothing here has to wait.
pub(super) fn load<T: ConfigValue>(loader: &ConfigLoader<T>) -> Result<T, LoadError> {
    loader.load().now_or_never().unwrap()
}

#[tokio::test(start_paused = true)]
async fn later_sources_outrank_earlier_ones_field_by_field() {
    let toml = written(
        "order.toml",
        "name = 'toml'\npeers = ['a', 'b']\n[server]\nport = 1\ntls = true\ntimeout = '1s'\n",
    );
    let json = written(
        "order.json",
        r#"{"name": "json", "server": {"port": 2}, "peers": ["c"]}"#,
    );
    let center = ConfigCenter::memory();
    let layers = |depth: usize| {
        let mut loader = loader().defaults(&json!({"name": "default", "server": {"port": 9}}));
        if depth > 0 {
            loader = loader.toml(&toml);
        }
        if depth > 1 {
            loader = loader.json(&json);
        }
        if depth > 2 {
            loader = loader.source(env(&[("APP_SERVER__PORT", "3"), ("APP_NAME", "env")]));
        }
        if depth > 3 {
            loader = loader.center(&center, "app");
        }
        loader
    };
    center
        .set("app", &json!({"server": {"port": 4}}))
        .await
        .unwrap();
    let mut seen = Vec::new();
    for depth in 0..5 {
        let Settings {
            name,
            server,
            peers,
        } = layers(depth).load().await.unwrap();
        seen.push((name, server.port.unwrap(), server.tls, peers.concat()));
    }
    let expected = [
        ("default", 9, false, ""),
        ("toml", 1, true, "ab"),
        ("json", 2, true, "c"),
        ("env", 3, true, "c"),
        ("env", 4, true, "c"),
    ];
    let expected =
        expected.map(|(name, port, tls, peers)| (name.to_owned(), port, tls, peers.to_owned()));
    assert_eq!(seen, expected);
    let names = format!("{:?}", layers(4));
    assert!(
        names.contains("defaults") && names.contains("environment APP_*"),
        "{names}"
    );
}

#[test]
fn defaults_fill_only_what_is_unset_and_before_it_is_validated() {
    let settings = load(&loader()).unwrap();
    assert_eq!(settings.server.port, Some(8080));
    let settings = load(&loader().defaults(&json!({"server": {"port": 1}}))).unwrap();
    assert_eq!(settings.server.port, Some(1));
    assert_eq!(settings.server.timeout, Some(Duration::from_secs(5)));
    let invalid = load(&loader().defaults(&json!({"server": {"port": 0}}))).unwrap_err();
    assert_eq!(
        invalid.to_string(),
        "loaded settings are invalid: invalid server: port Some(0) must be above zero"
    );
    let LoadError::Invalid { source } = invalid else {
        panic!("another error");
    };
    assert!(error::find::<InvalidSetting>(&*source).is_some());
}

#[test]
fn a_minute_is_a_minute_in_text_and_in_nanoseconds() {
    let toml = |text: &str| FileSource::toml(written("minute.toml", text));
    let minute = [
        load(&loader().source(toml("server.timeout = '1m'"))),
        load(&loader().source(toml("server.timeout = 60000000000"))),
        load(&loader().defaults(&json!({"server": {"timeout": "1m0s"}}))),
        load(&loader().defaults(&json!({"server": {"timeout": 60_000_000_000_u64}}))),
        load(&loader().source(env(&[("APP_SERVER__TIMEOUT", "1m")]))),
        load(&loader().source(env(&[("APP_SERVER__TIMEOUT", "60000000000")]))),
    ];
    for settings in minute {
        assert_eq!(
            settings.unwrap().server.timeout,
            Some(Duration::from_secs(60))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_source_that_fails_is_named_and_the_last_to_be_asked() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = |answer| Scripted(answer, Arc::clone(&asked));
    let failing = loader()
        .source(counted(Ok(())))
        .source(counted(Err("no luck")))
        .source(counted(Ok(())));
    let error = load(&failing).unwrap_err();
    assert_eq!(error.to_string(), "failed to load from scripted: no luck");
    assert_eq!(asked.load(SeqCst), 2);

    let center = ConfigCenter::memory();
    let missing = PathBuf::from("nowhere/at/all.toml");
    let cases = [
        (loader().toml(&missing), "nowhere/at/all.toml"),
        (loader().json(written("bad.json", "{")), "loader-bad.json"),
        (
            loader().toml(written("bad.toml", "a = ")),
            "loader-bad.toml",
        ),
        (
            loader().toml(written("nan.toml", "[a]\nb = nan")),
            "a: b: NaN is no number",
        ),
        (
            loader().json(written("list.json", "[1]")),
            "`.` is a list: must be an object",
        ),
        (
            loader().center(&center, "app"),
            "center app: config `app` is absent",
        ),
        (loader().env(""), "prefix must not be empty"),
        (loader().defaults(&Json(f64::NAN)), "defaults"),
        (
            loader().defaults(&"text"),
            "`.` is \"text\": must be an object",
        ),
    ];
    for (loader, named) in cases {
        match loader.load().await {
            // JSON has no NaN: it is null, which says nothing.
            Ok(_) => assert_eq!(named, "defaults"),
            Err(error) => {
                let error = error.to_string();
                assert!(
                    error.starts_with("failed to load from ") && error.contains(named),
                    "{error}"
                );
            }
        }
    }
    let LoadError::Source { source, .. } =
        loader().center(&center, "app").load().await.unwrap_err()
    else {
        panic!("another error");
    };
    assert!(matches!(
        error::find(&*source),
        Some(ConfigError::Absent { .. })
    ));
    let optional = loader()
        .source(FileSource::toml(&missing).optional())
        .source(FileSource::json(&missing).optional())
        .source(CenterSource::new(center, "app").optional());
    assert_eq!(optional.load().await.unwrap().server.port, Some(8080));
}

#[test]
fn a_bad_value_is_named_with_its_source_and_its_place() {
    let bad = |loader: ConfigLoader<Settings>| load(&loader).unwrap_err().to_string();
    let toml = written("port.toml", "[server]\nport = 70000");
    let file = bad(loader()
        .defaults(&json!({"server": {"port": 1}}))
        .toml(&toml));
    assert_eq!(
        file,
        format!(
            "failed to load from {}: `server.port` is 70000: invalid value: integer `70000`, \
             expected u16",
            toml.display()
        )
    );
    let env_over = bad(loader()
        .toml(&toml)
        .source(env(&[("APP_SERVER__PORT", "80x")])));
    assert!(
        env_over.starts_with("failed to load from environment APP_*: `server.port` is \"80x\": "),
        "{env_over}"
    );
    let list = bad(loader().defaults(&json!({"peers": ["a", 1]})));
    assert!(list.contains("from defaults: `peers[1]` is 1: "), "{list}");
    let whole = bad(loader()
        .toml(&toml)
        .source(env(&[("APP_SERVER", r#"{"port":-1}"#)])));
    assert!(
        whole.contains("environment APP_*: `server.port` is -1"),
        "{whole}"
    );

    #[derive(Debug, Deserialize)]
    struct Needy {
        #[serde(rename = "must")]
        _must: u32,
    }
    let needy = ConfigLoader::<Json<Needy>>::new()
        .source(ValueSource::new("one", &json!({"text": "1"})))
        .source(ValueSource::new("two", &json!({})));
    let missing = load(&needy).unwrap_err().to_string();
    assert_eq!(
        missing,
        "failed to load from one, two: `.` is an object: missing field `must`"
    );
}
