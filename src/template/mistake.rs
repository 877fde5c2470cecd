//! A fault of a template in words: its line and column, the wrong name, and the nearest right one.

use serde_json::{Map, Value};

use super::error::Mistake;
use super::lexer::{Tag, Token, line, tags};
use super::protocol::Fault;
use super::{Cause, go_words};
use crate::class::spelling::nearest;
use crate::spec::Delimiters;

/// The longest name that a message shows.
const LONGEST: usize = 64;

/// Filters by the names that `docs/templates.md` lists.
pub(crate) const FILTERS: &[&str] = &[
    "json",
    "tojson",
    "yaml",
    "toml",
    "properties",
    "properties_key",
    "shell",
    "env",
    "url",
    "urlencode",
    "b64encode",
    "b64decode",
    "from_json",
    "from_yaml",
    "md5",
    "sha1",
    "sha256",
    "sha512",
    "certificates",
    "private_key",
    "default",
    "d",
    "upper",
    "lower",
    "title",
    "capitalize",
    "trim",
    "replace",
    "split",
    "lines",
    "indent",
    "format",
    "string",
    "join",
    "first",
    "last",
    "length",
    "count",
    "sort",
    "reverse",
    "unique",
    "list",
    "items",
    "dictsort",
    "attr",
    "map",
    "select",
    "reject",
    "selectattr",
    "rejectattr",
    "groupby",
    "batch",
    "slice",
    "chain",
    "zip",
    "int",
    "float",
    "bool",
    "round",
    "abs",
    "min",
    "max",
    "sum",
];

const TESTS: &[&str] = &[
    "defined",
    "undefined",
    "none",
    "string",
    "number",
    "integer",
    "float",
    "boolean",
    "mapping",
    "sequence",
    "iterable",
    "odd",
    "even",
    "divisibleby",
    "true",
    "false",
    "in",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "startingwith",
    "endingwith",
    "lower",
    "upper",
    "safe",
    "sameas",
    "test",
    "filter",
];

/// What a template was checked or rendered with.
pub(crate) struct Context<'a> {
    pub(crate) text: &'a str,
    pub(crate) delimiters: &'a Delimiters,
    pub(crate) names: Vec<&'a str>,
    /// The values, to find the key that is missing. No value becomes part of a message; names of keys do.
    pub(crate) values: Option<&'a Map<String, Value>>,
}

impl Context<'_> {
    /// The mistake that `fault` is.
    pub(crate) fn mistake(&self, fault: &Fault) -> Mistake {
        let (start, end) = (fault.start as usize, fault.end as usize);
        let mut mistake = Mistake {
            line: fault.line,
            column: 0,
            cause: fault.cause,
            word: String::new(),
            advice: String::new(),
        };
        if start < end && self.text.is_char_boundary(start) {
            mistake.column = self.column(start);
            let word = self.text.get(start..end).unwrap_or_default();
            if is_name(word) {
                mistake.word = word.to_owned();
                mistake.advice = self.advice(fault.cause, word);
            }
        } else if fault.cause == Cause::Undefined {
            self.name_missing(&mut mistake);
        }
        mistake
    }

    fn column(&self, start: usize) -> usize {
        let before = self.text.get(..start).unwrap_or_default();
        before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1
    }

    fn advice(&self, cause: Cause, word: &str) -> String {
        let near =
            |words: &[&str]| nearest(word, words.iter().copied()).map(|word| format!("did you mean {word}?"));
        let known = |words: &[&str], list: &str| {
            go_words::instead_of(word)
                .map(|here| format!("use {here}"))
                .or_else(|| near(words))
                .unwrap_or_else(|| list.into())
        };
        match cause {
            Cause::UnknownFilter => known(FILTERS, "docs/templates.md lists all"),
            Cause::UnknownTest => near(TESTS).unwrap_or_else(|| "write a comparison, or `is defined`".into()),
            Cause::UnknownFunction => {
                known(&["range", "dict", "namespace"], "there are range, dict and namespace")
            }
            Cause::UnknownSource => {
                near(&self.names).unwrap_or_else(|| format!("there are {}", self.names.join(", ")))
            }
            Cause::GoTemplate => match word.strip_prefix('.') {
                Some(path) if !path.is_empty() => format!("write {path} without the dot in front"),
                _ => word
                    .split([' ', '.'])
                    .find_map(go_words::instead_of)
                    .map_or_else(String::new, |here| format!("here it is {here}")),
            },
            _ => String::new(),
        }
    }

    /// Finds the first chain of keys in the tags of the line that has no value.
    fn name_missing(&self, mistake: &mut Mistake) {
        let line = line(self.text, mistake.line);
        let tags = tags(self.text, self.delimiters);
        let in_line = tags.iter().filter(|tag| tag.start < line.end && line.start <= tag.end);
        for (tag, at) in in_line.flat_map(|tag| (0..tag.tokens.len()).map(move |at| (tag, at))) {
            let Some(chain) = Chain::at(tag, at) else { continue };
            if let Some((end, near)) = self.missing(tag, &chain) {
                let start = tag.tokens[at].start;
                mistake.column = self.column(start);
                mistake.word =
                    self.text.get(start..end).filter(|word| word.len() <= LONGEST).unwrap_or_default().into();
                mistake.advice = near.map_or_else(
                    || "correct it, or use default(\"...\")".into(),
                    |near| format!("did you mean {near}?"),
                );
                return;
            }
        }
    }

    /// Where the first key of `chain` without a value ends, and the nearest key that has one.
    fn missing(&self, tag: &Tag<'_>, chain: &Chain<'_>) -> Option<(usize, Option<String>)> {
        let mut value = self.values?.get(chain.root)?;
        for (key, end) in &chain.keys {
            let next = match value {
                Value::Object(members) => members.get(*key),
                Value::Array(items) => key.parse().ok().and_then(|at: usize| items.get(at)),
                _ => None,
            };
            match (next, value) {
                (Some(next), _) => value = next,
                (None, Value::Object(members)) => {
                    return Some((tag.tokens[*end].end(), nearest(key, members.keys().map(String::as_str))));
                }
                (None, _) => return Some((tag.tokens[*end].end(), None)),
            }
        }
        None
    }
}

/// A name and the keys after it: `db.users[0]`.
struct Chain<'t> {
    root: &'t str,
    /// Each key, and the number of the token that ends it.
    keys: Vec<(&'t str, usize)>,
}

impl<'t> Chain<'t> {
    fn at(tag: &Tag<'t>, at: usize) -> Option<Self> {
        let token = |at: usize| tag.tokens.get(at);
        let is_key = at.checked_sub(1).and_then(token).is_some_and(|before| before.is(".") || before.is("|"));
        let root = token(at).filter(|token| token.is_name() && !is_key)?.text;
        let (mut keys, mut at) = (Vec::new(), at + 1);
        loop {
            match (token(at), token(at + 1), token(at + 2)) {
                (Some(dot), Some(key), _) if dot.is(".") && key.is_name() => {
                    keys.push((key.text, at + 1));
                    at += 2;
                }
                (Some(open), Some(key), Some(close)) if open.is("[") && close.is("]") && !key.is_name() => {
                    keys.push((unquoted(key), at + 2));
                    at += 3;
                }
                _ => return Some(Self { root, keys }),
            }
        }
    }
}

fn unquoted<'t>(token: &Token<'t>) -> &'t str {
    token.text.trim_matches(['"', '\''])
}

/// True for names and the signs that join them. Anything else may be a secret that stands in the template.
fn is_name(word: &str) -> bool {
    let fits = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '.' | '$' | ' ');
    !word.is_empty() && word.len() <= LONGEST && word.chars().all(fits)
}
