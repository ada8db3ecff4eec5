//! Settings from the environment: what a text becomes, and what is refused by name.

use super::loader::{env, load, loader};
use serde::Deserialize;
use serde_json::{Value, json};
use ziggurat::coord::{ConfigLoader, EnvSource, Json};

#[test]
fn text_of_the_environment_is_what_the_field_wants() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct All {
        text: String,
        number: f64,
        yes: bool,
        list: Vec<u8>,
        maybe: Option<u32>,
        kind: Kind,
        deep: Deep,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Dark,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Deep {
        name: String,
        #[serde(flatten)]
        flat: Flat,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Flat {
        size: u32,
    }
    let vars = [
        ("APP_TEXT", "8080"),
        ("APP_NUMBER", "1.5"),
        ("APP_YES", "true"),
        ("APP_LIST", "[1, 2]"),
        ("APP_MAYBE", "null"),
        ("APP_KIND", "dark"),
        ("APP_DEEP__NAME", "n"),
        ("APP_DEEP__SIZE", "7"),
        ("OTHER_TEXT", "no"),
    ];
    let Json(all) = load(&ConfigLoader::<Json<All>>::new().source(env(&vars))).unwrap();
    let expected = All {
        text: "8080".to_owned(),
        number: 1.5,
        yes: true,
        list: vec![1, 2],
        maybe: None,
        kind: Kind::Dark,
        deep: Deep {
            name: "n".to_owned(),
            flat: Flat { size: 7 },
        },
    };
    assert_eq!(all, expected);
    // Where nobody can tell which field it is, the error is still the first one.
    let without = vars
        .into_iter()
        .filter(|(name, _)| *name != "APP_MAYBE" && *name != "APP_YES");
    let without = EnvSource::prefixed("APP_").vars(without);
    let missing = load(&ConfigLoader::<Json<All>>::new().source(without)).unwrap_err();
    assert!(
        missing.to_string().ends_with("missing field `yes`"),
        "{missing}"
    );
    // Only what comes from the environment is text for something else.
    let file = load(&loader().defaults(&json!({"server": {"port": "1"}}))).unwrap_err();
    assert!(
        file.to_string().contains("string \"1\", expected u16"),
        "{file}"
    );
}

#[test]
fn nonsense_in_the_environment_is_named() {
    let deep = format!("APP_{}", ["X"; 40].join("__"));
    for (vars, named) in [
        (&[("APP_", "1")][..], "APP_ has an empty part"),
        (&[("APP_A____B", "1")], "APP_A____B has an empty part"),
        (
            &[("APP_A", "1"), ("APP_A__B", "2")],
            "APP_A__B is set on two levels",
        ),
        (
            &[("APP_a", "1"), ("APP_A", "2")],
            "APP_a is set on two levels",
        ),
        (&[(&*deep, "1")], "has more than 32 parts"),
    ] {
        let error = load(&loader().source(env(vars))).unwrap_err().to_string();
        assert!(
            error.starts_with("failed to load from environment APP_*: "),
            "{error}"
        );
        assert!(error.contains(named), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_named_and_a_foreign_one_is_not_looked_at() {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt};
    let bad = || OsString::from_vec(vec![0xff]);
    let foreign = EnvSource::prefixed("APP_").vars([("OTHER".into(), bad()), (bad(), bad())]);
    assert!(load(&loader().source(foreign)).is_ok());
    let ours = EnvSource::prefixed("APP_").vars([("APP_X", bad())]);
    let error = load(&loader().source(ours)).unwrap_err();
    assert!(error.to_string().ends_with("APP_X is not UTF-8"), "{error}");
}

#[test]
fn the_environment_of_the_process_is_read_when_it_loads() {
    // Cargo sets this one for every test that it runs.
    let all: ConfigLoader<Json<Value>> = ConfigLoader::new().env("CARGO_PKG_");
    let Json(all) = load(&all).unwrap();
    assert_eq!(all["name"], "ziggurat");
}
