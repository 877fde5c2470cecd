//! Values of JSON as the engine knows them, and back, with numbers as they were written.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr, ValueKind};
use minijinja::{Error, Value};
use serde_json::{Map, Number, Value as Json};

use super::Cause;
use crate::template::engine::failed;

/// The names and values of a template, from a JSON object.
pub(crate) fn read(sources: &[u8]) -> serde_json::Result<Value> {
    Ok(members(serde_json::from_slice(sources)?))
}

fn members(members: Map<String, Json>) -> Value {
    Value::from(members.into_iter().map(|(name, value)| (name, from_json(value))).collect::<BTreeMap<_, _>>())
}

fn from_json(value: Json) -> Value {
    match value {
        Json::Null => Value::from(()),
        Json::Bool(truth) => Value::from(truth),
        Json::Number(number) => from_number(number),
        Json::String(text) => Value::from(text),
        Json::Array(items) => Value::from(items.into_iter().map(from_json).collect::<Vec<_>>()),
        Json::Object(object) => members(object),
    }
}

/// A number to calculate with where that gives back the digits it was written with; else one that only keeps them.
fn from_number(number: Number) -> Value {
    let written = number.to_string();
    let whole = written.parse().map(|whole: i128| Value::from(whole)).ok();
    let value = whole.or_else(|| number.as_f64().map(Value::from));
    value.filter(|value| value.to_string() == written).unwrap_or_else(|| Value::from_object(Exact(number)))
}

/// A number such as `1.10` or `1e400`: floating point would change it, and a file is to hold what the secret holds.
struct Exact(Number);

impl fmt::Debug for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exact(..)")
    }
}

impl Object for Exact {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The number behind a value that only keeps its digits.
pub(crate) fn exact(value: &Value) -> Option<&Number> {
    value.downcast_object_ref::<Exact>().map(|Exact(number)| number)
}

/// `value` as JSON, for the filters that write documents.
pub(crate) fn to_json(value: &Value) -> Result<Json, Error> {
    match value.kind() {
        ValueKind::None => Ok(Json::Null),
        ValueKind::Bool => Ok(Json::Bool(value.is_true())),
        ValueKind::Number => number(value),
        ValueKind::String => Ok(Json::String(value.to_string())),
        ValueKind::Seq | ValueKind::Iterable => {
            Ok(Json::Array(value.try_iter()?.map(|item| to_json(&item)).collect::<Result<_, _>>()?))
        }
        ValueKind::Map => {
            Ok(Json::Object(value.try_iter()?.map(|key| member(value, &key)).collect::<Result<_, _>>()?))
        }
        _ => exact(value).map(|number| Json::Number(number.clone())).ok_or_else(|| failed(Cause::NotText)),
    }
}

/// The text of a number is JSON's but for infinities and what is none.
fn number(value: &Value) -> Result<Json, Error> {
    value.to_string().parse().map(Json::Number).map_err(|_| failed(Cause::NotText))
}

fn member(map: &Value, key: &Value) -> Result<(String, Json), Error> {
    let name = key.as_str().ok_or_else(|| failed(Cause::NotText))?;
    Ok((name.into(), to_json(&map.get_item(key)?)?))
}
