//! The filters that templates have beside minijinja's own. `docs/templates.md` has an example of each.

use std::mem;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{Environment, Error, State, Value, filters};
use zeroize::Zeroizing;

use super::{Cause, md5, pem, values};
use crate::goyaml;
use crate::render::quote;
use crate::secret::Secret;
use crate::spec::encoding::base64;
use crate::template::values::{exact, to_json};

/// Adds all filters to `environment`.
pub(crate) fn add(environment: &mut Environment<'_>) {
    environment.add_filter("json", json);
    environment.add_filter("tojson", json);
    environment.add_filter("yaml", |value: &Value| to_json(value).map(|value| plain(quote::yaml(&value))));
    environment.add_filter("toml", |value: &Value| text(value).map(|text| plain(quote::toml(&text))));
    environment
        .add_filter("properties", |value: &Value| text(value).map(|text| plain(quote::properties(&text))));
    environment.add_filter("properties_key", |value: &Value| {
        text(value).map(|text| plain(quote::properties_key(&text)))
    });
    environment.add_filter("shell", |value: &Value| {
        quote::shell(&text(value)?).map(plain).map_err(|_| Cause::NotQuotable.into_error())
    });
    environment.add_filter("env", |value: &Value| {
        quote::env(&text(value)?).map(plain).map_err(|_| Cause::NotQuotable.into_error())
    });
    for name in ["url", "urlencode"] {
        environment.add_filter(name, |value: &Value| text(value).map(|text| plain(quote::url(&text))));
    }
    environment.add_filter("b64encode", |value: &Value| text(value).map(|text| STANDARD.encode(text)));
    environment.add_filter("b64decode", b64decode);
    environment.add_filter("from_json", from_json);
    environment.add_filter("from_yaml", from_yaml);
    environment.add_filter("md5", |value: &Value| text(value).map(|text| hex(&md5::digest(text.as_bytes()))));
    for (name, algorithm) in [
        ("sha1", &ring::digest::SHA1_FOR_LEGACY_USE_ONLY),
        ("sha256", &ring::digest::SHA256),
        ("sha512", &ring::digest::SHA512),
    ] {
        environment.add_filter(name, move |value: &Value| {
            text(value).map(|text| hex(ring::digest::digest(algorithm, text.as_bytes()).as_ref()))
        });
    }
    strict(environment);
    environment.add_filter("certificates", certificates);
    environment.add_filter("private_key", private_key);
}

/// The text as minijinja takes it, which wipes nothing: the memory of the child process ends with it.
fn plain(mut text: Zeroizing<String>) -> String {
    mem::take(&mut *text)
}

/// JSON on one line, or over several lines with `indent=2`.
fn json(value: &Value, named: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = named.get("indent")?;
    named.assert_all_used()?;
    let value = to_json(value)?;
    Ok(indent.map_or_else(|| plain(quote::json(&value)), |indent| quote::json_lines(&value, indent.min(16))))
}

/// The value of a JSON text. Of the parser's error nothing is kept, because it may quote the value.
fn from_json(value: &Value) -> Result<Value, Error> {
    let json = serde_json::from_str(&text(value)?).map_err(|_| Cause::NotJson.into_error())?;
    Ok(values::from_json(json))
}

/// The value of a YAML text, by the rules of YAML in `objects`.
fn from_yaml(value: &Value) -> Result<Value, Error> {
    let json = goyaml::value(&text(value)?).ok_or_else(|| Cause::NotYaml.into_error())?;
    Ok(values::from_json(json))
}

/// Bytes in lower-case hexadecimal.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes minijinja's text filters refuse null, lists and maps, which they would otherwise write as Python does. minijinja's own filters stay
/// available under names with a space, which no template can write.
fn strict(environment: &mut Environment<'_>) {
    environment.add_filter("builtin upper", filters::upper);
    environment.add_filter("builtin lower", filters::lower);
    environment.add_filter("builtin title", filters::title);
    environment.add_filter("builtin capitalize", filters::capitalize);
    environment.add_filter("builtin trim", filters::trim);
    environment.add_filter("builtin replace", filters::replace);
    environment.add_filter("builtin indent", filters::indent);
    environment.add_filter("builtin join", filters::join);
    environment.add_filter("builtin format", filters::format);
    for name in ["upper", "lower", "title", "capitalize", "trim", "replace", "indent"] {
        environment.add_filter(
            name,
            move |state: &mut State<'_, '_>, value: &Value, rest: Rest<Value>, named: Kwargs| {
                builtin(state, name, Value::from(text(value)?), rest, named)
            },
        );
    }
    environment.add_filter("string", |value: &Value| text(value));
    environment.add_filter(
        "join",
        |state: &mut State<'_, '_>, value: &Value, rest: Rest<Value>, named: Kwargs| {
            let has_attribute = rest.len() > 1 || named.has("attribute");
            builtin(state, "join", if has_attribute { value.clone() } else { parts(value)? }, rest, named)
        },
    );
    environment.add_filter(
        "format",
        |state: &mut State<'_, '_>, value: &Value, rest: Rest<Value>, named: Kwargs| {
            rest.iter().try_for_each(|value| text(value).map(drop))?;
            named.args().try_for_each(|name| text(named.peek(name)?).map(drop))?;
            builtin(state, "format", Value::from(text(value)?), rest, named)
        },
    );
}

/// The result of minijinja's own filter `name` for `value`.
fn builtin(
    state: &mut State<'_, '_>,
    name: &str,
    value: Value,
    rest: Rest<Value>,
    named: Kwargs,
) -> Result<Value, Error> {
    let is_named = named.args().next().is_some();
    let named = is_named.then(|| Value::from(named));
    let arguments: Vec<_> = std::iter::once(value).chain(rest.0).chain(named).collect();
    state.apply_filter(&format!("builtin {name}"), &arguments)
}

/// The texts that `join` joins.
fn parts(value: &Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter()?.map(|part| text(&part)).collect::<Result<Vec<_>, _>>().map(Value::from)
        }
        _ => text(value).map(Value::from),
    }
}

/// A value as it is written to the file. An error for null, lists and maps.
fn text(value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::Bool => Ok(value.is_true().to_string()),
        ValueKind::String | ValueKind::Number => Ok(value.to_string()),
        ValueKind::Plain if exact(value).is_some() => Ok(value.to_string()),
        ValueKind::None => Err(Cause::Null.into_error()),
        ValueKind::Undefined => Err(Cause::Undefined.into_error()),
        _ => Err(Cause::Whole.into_error()),
    }
}

/// Decodes base64 as `encoding: base64` does. The bytes must be UTF-8.
fn b64decode(value: &Value) -> Result<String, Error> {
    let bytes = base64(text(value)?.as_bytes());
    bytes
        .as_ref()
        .and_then(Secret::expose_text)
        .map(str::to_owned)
        .ok_or_else(|| Cause::NotBase64.into_error())
}

/// The certificates in a PEM text, or in a list of PEM texts such as Vault's `ca_chain`.
fn certificates(value: &Value) -> Result<Vec<String>, Error> {
    let texts = match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter()?.map(|item| text(&item)).collect::<Result<_, _>>()?
        }
        _ => vec![text(value)?],
    };
    let found: Vec<_> = texts
        .iter()
        .flat_map(|text| pem::blocks(text))
        .filter(|block| block.label == "CERTIFICATE")
        .collect();
    if found.is_empty() && texts.iter().any(|text| pem::is_open(text)) {
        return Err(Cause::OpenPem.into_error());
    }
    if found.is_empty() {
        return Err(Cause::NoCertificate.into_error());
    }
    Ok(found.into_iter().map(|block| block.text).collect())
}

/// The only private key in a PEM text: `PRIVATE KEY`, `RSA PRIVATE KEY`, `EC PRIVATE KEY` or `ENCRYPTED PRIVATE KEY`.
fn private_key(value: &Value) -> Result<String, Error> {
    let text = text(value)?;
    let mut keys = pem::blocks(&text).into_iter().filter(|block| block.label.ends_with("PRIVATE KEY"));
    match (keys.next(), keys.next()) {
        (Some(key), None) => Ok(key.text),
        _ if pem::is_open(&text) => Err(Cause::OpenPem.into_error()),
        _ => Err(Cause::NoPrivateKey.into_error()),
    }
}
