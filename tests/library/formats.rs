//! A secret as a document has the same meaning for every program that reads it: each document here is read by the tools that
//! people use.

use std::fs;
use std::path::Path;

use crate::render::format::document;
use crate::render::quote;
use crate::spec::Format;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use crate::library::tools::tool;

/// Debian's own, for which python3-yaml is packaged.
const PYTHON: &str = "/usr/bin/python3";

/// Reads a file by its extension and prints it as JSON.
const READ: &str = r#"
import json, sys, tomllib, yaml
text = open(sys.argv[1], "rb").read()
value = tomllib.loads(text.decode()) if sys.argv[1].endswith("toml") else yaml.safe_load(text)
json.dump(value, sys.stdout)
"#;

/// Prints each key and each value of a properties file in base64.
const PROPERTIES: &str = r#"
import java.io.*; import java.nio.charset.StandardCharsets; import java.util.*;
class Read {
    static String shown(String text) { return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8)); }
    public static void main(String[] args) throws IOException {
        Properties read = new Properties();
        try (InputStream file = new FileInputStream(args[0])) { read.load(file); }
        for (String key : read.stringPropertyNames()) System.out.println(shown(key) + " " + shown(read.getProperty(key)));
    }
}
"#;

/// Words, numbers and marks that some parser reads as something other than text.
const TRAPS: &str = "~ null Null NULL yes Yes YES no on On off y Y n N true TRUE false 1e3 1E3 1.0e+3 0o17 017 0x1f 0b1 1:20 1:20.5 \
    1_000 .5 5. + - . .. -.inf +.INF .NaN nan inf 2026-11-21 2026-11-21T10:00:00Z 12:30:45 = << - ? : # & * ! | > % @ ` [ ] { } , ' \" \
    -a ?a :a #a &a *a !a |a >a %a @a [a {a a: a:b a# --- ... --- $HOME ${HOME} $(id) `id` !! \\ \\n \\u0041 %s %20 é 😀 it's 'a' \"a\"";

const PEM: &str =
    "-----BEGIN CERTIFICATE-----\nMIIBdzCCAR2gAwIBAgIBATAKBggqhkjOPQQDAjAS\n-----END CERTIFICATE-----\n";

/// Characters that some format escapes or treats as a line break or byte mark, and one character of each UTF-8 length.
fn characters() -> impl Iterator<Item = char> {
    let ranges = [
        0..=0xa1,
        0xad..=0xad,
        0x2027..=0x202f,
        0xd7ff..=0xd7ff,
        0xe000..=0xe000,
        0xfefe..=0xfeff,
        0xfffd..=0xffff,
    ];
    ranges
        .into_iter()
        .flatten()
        .chain([0x10000, 0x1f600, 0x1fffe, 0x1ffff, 0xe0001, 0x10ffff])
        .filter_map(char::from_u32)
}

/// Everything that is hard to quote: alone, at both ends, inside, and on its own line.
fn texts() -> Vec<String> {
    let around = |c: char| {
        [
            format!("{c}"),
            format!("{c}a"),
            format!("a{c}"),
            format!("a {c} b"),
            format!("a\n{c}"),
            format!("a\n{c}\n"),
            format!("{c}\nb\n\n"),
        ]
    };
    let traps = TRAPS
        .split(' ')
        .flat_map(|word| [word.to_owned(), format!("{word}\n"), format!("a: {word} #\n  {word}\n\tb")]);
    let lines = ["", " ", "\n", "\n\n", " \n", "  a\nb\n", "\n  a", "a\n\n\n", "a\n \n", "a\r\nb\r\n", PEM]
        .map(String::from);
    characters()
        .flat_map(around)
        .chain(traps)
        .chain(lines)
        .chain([PEM.repeat(90), "a b ".repeat(900)])
        .collect()
}

/// Every text as a value and as a key, nested lists and objects, and numbers at their limits.
fn secret() -> Map<String, Value> {
    let mut members: Map<String, Value> =
        texts().into_iter().enumerate().map(|(at, text)| (format!("k{at}"), json!(text))).collect();
    members.extend(texts().into_iter().filter(|text| text.len() < 1100).map(|text| (text, json!(1))));
    let nested = json!({"pem": PEM, "": [[], {}, [[PEM, [" a\nb"]]], [{"a": [{}], "b": {"c": PEM}}, {"a": "\n x"}]], "x": {"y": {"z": [1]}}});
    members.insert("nested".to_owned(), nested);
    members.insert("long ".repeat(400), json!({"a": PEM}));
    let numbers = r#"[0, -1, 9007199254740991, 0.1, 1.50, 1e3, 1E-7, 1.5e300, 5e-324, -2.5e-10, 123456789.125, true, false]"#;
    members.insert("numbers".to_owned(), serde_json::from_str(numbers).unwrap());
    members
}

fn written(data: &Value, format: Format) -> Vec<u8> {
    document(data, format).unwrap().expose().to_vec()
}

/// Output of `program` for a file `name` with `text`.
fn read(program: &str, arguments: &[&str], name: &str, text: &[u8]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(name);
    fs::write(&file, text).unwrap();
    tool(program, &[arguments, &[file.to_str().unwrap()]].concat(), b"")
}

/// Fails at the first member that was read as something else. Python distinguishes integers from floats, jq does not.
fn same(read: &str, expected: &Value) {
    let read: Value = serde_json::from_str(read).unwrap();
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(read.get(key).map(meant), Some(meant(value)), "key {key:?}");
    }
    assert_eq!(read.as_object().unwrap().len(), expected.as_object().unwrap().len());
}

/// Numbers by value: programs write them in different forms.
fn meant(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64().unwrap().to_bits()),
        Value::Array(items) => items.iter().map(meant).collect(),
        Value::Object(members) => members.iter().map(|(key, value)| (key.clone(), meant(value))).collect(),
        other => other.clone(),
    }
}

#[test]
fn jq_reads_the_json() {
    let mut secret = secret();
    secret.insert("null".to_owned(), Value::Null);
    let secret = Value::Object(secret);
    same(&read("jq", &["-c", "."], "secret.json", &written(&secret, Format::Json)), &secret);
}

#[test]
fn python_reads_the_yaml() {
    let mut secret = secret();
    secret.insert("null".to_owned(), Value::Null);
    let secret = Value::Object(secret);
    same(&read(PYTHON, &["-c", READ], "secret.yaml", &written(&secret, Format::Yaml)), &secret);
}

#[test]
fn python_reads_the_flow_of_yaml_and_the_strings_of_toml() {
    let secret = Value::Object(secret());
    same(&read(PYTHON, &["-c", READ], "secret.yaml", quote::yaml(&secret).as_bytes()), &secret);
    let texts = texts();
    let lines: String = texts
        .iter()
        .enumerate()
        .map(|(at, text)| format!("k{at} = {}\n", quote::toml(text).as_str()))
        .collect();
    let expected: Map<String, Value> =
        texts.into_iter().enumerate().map(|(at, text)| (format!("k{at}"), json!(text))).collect();
    same(&read(PYTHON, &["-c", READ], "secret.toml", lines.as_bytes()), &Value::Object(expected));
}

#[test]
fn python_reads_the_toml() {
    let secret = Value::Object(secret());
    same(&read(PYTHON, &["-c", READ], "secret.toml", &written(&secret, Format::Toml)), &secret);
}

#[test]
fn a_shell_reads_the_env_file() {
    let texts: Vec<_> = texts().into_iter().filter(|text| !text.contains('\0')).collect();
    let secret: Map<_, _> =
        texts.iter().enumerate().map(|(at, text)| (format!("K{at}_"), json!(text))).collect();
    let script = "set -a; . \"$0\"; env -0";
    let environment =
        read("env", &["-i", "sh", "-c", script], "secret.env", &written(&Value::Object(secret), Format::Env));
    let read: Vec<_> = environment.split('\0').filter(|line| line.starts_with('K')).collect();
    assert_eq!(read.len(), texts.len());
    for (at, text) in texts.iter().enumerate() {
        assert!(read.contains(&format!("K{at}_={text}").as_str()), "{text:?}");
    }
}

#[test]
fn a_shell_reads_each_quoted_word() {
    let texts: Vec<_> = texts().into_iter().filter(|text| !text.contains('\0')).collect();
    let words: Vec<_> = texts.iter().map(|text| quote::shell(text).unwrap().to_string()).collect();
    let printed = read("sh", &[], "words.sh", format!("printf '%s\\0' {}\n", words.join(" ")).as_bytes());
    assert_eq!(printed.split_terminator('\0').collect::<Vec<_>>(), texts);
}

#[test]
fn java_reads_the_properties() {
    let secret = Value::Object(secret());
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("Read.java");
    fs::write(&program, PROPERTIES).unwrap();
    let lines = read("java", &[path(&program)], "secret.properties", &written(&secret, Format::Properties));
    let decode = |text| String::from_utf8(BASE64_STANDARD.decode(text).unwrap()).unwrap();
    let read: Map<String, Value> = lines
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(key, value)| (decode(key), json!(decode(value))))
        .collect();
    let as_text =
        |value: &Value| value.as_str().map_or_else(|| json!(quote::json(value).as_str()), |text| json!(text));
    let expected: Map<String, Value> =
        secret.as_object().unwrap().iter().map(|(key, value)| (key.clone(), as_text(value))).collect();
    same(&Value::Object(read).to_string(), &Value::Object(expected));
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
