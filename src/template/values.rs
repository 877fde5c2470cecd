//! Converts JSON values into minijinja's and back, and keeps the digits of numbers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr, ValueKind};
use minijinja::{Error, Value};
use serde_json::{Map, Number, Value as Json};

use super::Cause;

/// Reads the sources of a template from a JSON object.
pub(crate) fn read(sources: &[u8]) -> serde_json::Result<Value> {
    Ok(members(serde_json::from_slice(sources)?))
}

fn members(members: Map<String, Json>) -> Value {
    Value::from(members.into_iter().map(|(name, value)| (name, from_json(value))).collect::<BTreeMap<_, _>>())
}

/// `value` as templates get it.
pub(crate) fn from_json(value: Json) -> Value {
    match value {
        Json::Null => Value::from(()),
        Json::Bool(truth) => Value::from(truth),
        Json::Number(number) => from_number(number),
        Json::String(text) => Value::from(text),
        Json::Array(items) => Value::from(items.into_iter().map(from_json).collect::<Vec<_>>()),
        Json::Object(object) => members(object),
    }
}

/// A number that templates can calculate with, if it prints with the digits of the JSON text; otherwise an [`Exact`].
fn from_number(number: Number) -> Value {
    let digits = number.to_string();
    let whole = digits.parse().map(|whole: i128| Value::from(whole)).ok();
    let value = whole.or_else(|| number.as_f64().map(Value::from));
    value.filter(|value| value.to_string() == digits).unwrap_or_else(|| Value::from_object(Exact(number)))
}

/// A number such as `1.10` or `1e400`, which floating point would change: the file must contain the digits of the secret.
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

/// The number in a value that is an [`Exact`].
pub(crate) fn exact(value: &Value) -> Option<&Number> {
    value.downcast_object_ref::<Exact>().map(|Exact(number)| number)
}

/// Converts `value` to JSON, for the filters that write documents.
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
        _ => {
            exact(value).map(|number| Json::Number(number.clone())).ok_or_else(|| Cause::NotText.into_error())
        }
    }
}

/// minijinja prints numbers as JSON does, except infinities and NaN, which are an error.
fn number(value: &Value) -> Result<Json, Error> {
    value.to_string().parse().map(Json::Number).map_err(|_| Cause::NotText.into_error())
}

fn member(map: &Value, key: &Value) -> Result<(String, Json), Error> {
    let name = key.as_str().ok_or_else(|| Cause::NotText.into_error())?;
    Ok((name.into(), to_json(&map.get_item(key)?)?))
}
