//! Layers of settings, merged, and still known one by one, so that errors can tell whose it is.

use super::LoadError;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::{Error, Segment};

/// What the sources said, the first at the bottom.
#[derive(Debug, Default)]
pub(super) struct Layers {
    layers: Vec<Layer>,
    merged: Map<String, Value>,
}

#[derive(Debug)]
struct Layer {
    name: String,
    is_text: bool,
    value: Value,
}

/// A step from a value to one in it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

/// How much of a value an error repeats, in characters: it may be long, and it may be a secret.
const MAX_VALUE: usize = 64;

// === impl Layers ===

impl Layers {
    /// Lays a value over those before.
    pub(super) fn push(
        &mut self,
        name: &str,
        is_text: bool,
        value: Value,
    ) -> Result<(), LoadError> {
        match &value {
            Value::Object(object) => merge(&mut self.merged, object),
            Value::Null => {}
            other => {
                return Err(LoadError::Value {
                    name: name.to_owned(),
                    path: ".".to_owned(),
                    value: show(Some(other)),
                    reason: "must be an object".to_owned(),
                });
            }
        }
        self.layers.push(Layer {
            name: name.to_owned(),
            is_text,
            value,
        });
        Ok(())
    }

    /// Makes a `T` of what they say together.
    pub(super) fn read<T: DeserializeOwned>(self) -> Result<T, LoadError> {
        let mut value = Value::Object(self.merged.clone());
        let mut guesses: Vec<(Vec<Step>, LoadError)> = Vec::new();
        loop {
            let error = match serde_path_to_error::deserialize(&value) {
                Ok(read) => return Ok(read),
                Err(error) => error,
            };
            let path = steps(&error);
            let named = self.error(&error, &path, &value);
            // It wants something else than text: read that as JSON, and try again.
            let is_text = self.origin(&path).is_some_and(|layer| layer.is_text);
            if is_text && lookup_mut(&mut value, &path).is_some_and(as_json) {
                continue;
            }
            // What a guess led to is not what is wrong.
            if let Some(at) = guesses
                .iter()
                .position(|(guess, _)| path.starts_with(guess))
            {
                return Err(guesses.swap_remove(at).1);
            }
            // A flattened structure does not tell which of its fields it is: all of them, then.
            if !self.texts_as_json(&mut value, &path) {
                return Err(named);
            }
            guesses.push((path, named));
        }
    }

    /// The layer that the value at `path` comes from.
    fn origin(&self, path: &[Step]) -> Option<&Layer> {
        let speaks = |layer: &&Layer| !layer.value.is_null() && covers(&layer.value, path);
        self.layers.iter().rev().find(speaks)
    }

    /// Reads all text below `path` as JSON; whether there was any.
    fn texts_as_json(&self, value: &mut Value, path: &[Step]) -> bool {
        let keys: Vec<_> = match lookup_mut(value, path) {
            Some(Value::Object(object)) => object.keys().cloned().map(Step::Key).collect(),
            Some(text) => {
                let is_text = self.origin(path).is_some_and(|layer| layer.is_text);
                return is_text && as_json(text);
            }
            None => return false,
        };
        let mut any = false;
        for key in keys {
            any |= self.texts_as_json(value, &[path, &[key]].concat());
        }
        any
    }

    fn error(&self, error: &Error<serde_json::Error>, path: &[Step], value: &Value) -> LoadError {
        let reason = error.inner().to_string();
        let origin = self.origin(path).map(|layer| layer.name.clone());
        let all = || {
            let names: Vec<_> = self.layers.iter().map(|layer| &*layer.name).collect();
            names.join(", ")
        };
        // What is missing is missing everywhere; what is wrong is wrong in one place.
        let whose = origin.filter(|_| !path.is_empty() && !reason.starts_with("missing field"));
        LoadError::Value {
            name: whose.unwrap_or_else(all),
            path: error.path().to_string(),
            value: show(lookup(value, path)),
            reason,
        }
    }
}

fn merge(under: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (key, value) in over {
        match (under.get_mut(key), value) {
            (Some(Value::Object(under)), Value::Object(over)) => merge(under, over),
            _ => {
                under.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Whether it was text that holds JSON, which it is now; text within text gets shorter each time.
fn as_json(value: &mut Value) -> bool {
    let Value::String(text) = &*value else {
        return false;
    };
    match serde_json::from_str(text) {
        Ok(read) => {
            *value = read;
            true
        }
        Err(_) => false,
    }
}

fn steps(error: &Error<serde_json::Error>) -> Vec<Step> {
    let segments = error.path().iter();
    let step = |segment: &Segment| match segment {
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Map { key } => Some(Step::Key(key.clone())),
        Segment::Enum { variant } => Some(Step::Key(variant.clone())),
        Segment::Unknown => None,
    };
    segments.map_while(step).collect()
}

/// Whether a layer decides what is at `path`: it has it, or has something else in its place.
fn covers(layer: &Value, path: &[Step]) -> bool {
    let known = (0..=path.len())
        .rev()
        .find_map(|end| lookup(layer, &path[..end]).map(|v| (end, v)));
    known.is_some_and(|(end, value)| end == path.len() || !(value.is_object() || value.is_array()))
}

fn lookup<'a>(value: &'a Value, path: &[Step]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.get(index),
    })
}

fn lookup_mut<'a>(value: &'a mut Value, path: &[Step]) -> Option<&'a mut Value> {
    path.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(index),
    })
}

fn show(value: Option<&Value>) -> String {
    let text = match value {
        None => return "absent".to_owned(),
        Some(Value::Object(_)) => return "an object".to_owned(),
        Some(Value::Array(_)) => return "a list".to_owned(),
        Some(value) => value.to_string(),
    };
    match text.char_indices().nth(MAX_VALUE) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text,
    }
}
