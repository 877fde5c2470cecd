//! What is wrong with the words of a template, before it is rendered: unknown filters, tests, functions and sources.

use std::collections::{HashMap, HashSet};

use minijinja::{Environment, ErrorKind};

use super::Cause;
use super::lexer::{Tag, Token, TokenKind};
use super::protocol::{FAULTS, Fault};

/// Words of the language, which name no value.
const KEYWORDS: [&str; 17] = [
    "and",
    "or",
    "not",
    "in",
    "is",
    "if",
    "else",
    "elif",
    "true",
    "false",
    "none",
    "True",
    "False",
    "None",
    "for",
    "recursive",
    "loop",
];

/// The functions of the language.
const FUNCTIONS: [&str; 3] = ["range", "dict", "namespace"];

/// Names after which a value may be missing.
const GUARDS: [&str; 6] = ["defined", "undefined", "none", "default", "d", "is"];

/// The use of a word.
#[derive(Clone, Copy, PartialEq)]
enum Use {
    Filter,
    Test,
    Function,
    Value,
    /// It gets a value in the template itself.
    Declaration,
    /// A keyword, or a key after a dot.
    Other,
}

/// The first unknown words, in the order of the text. `sources` are the names that have a value.
pub(crate) fn faults(
    text: &str,
    tags: &[Tag<'_>],
    sources: &[String],
    environment: &Environment<'_>,
) -> Vec<Fault> {
    let places = tags.iter().flat_map(|tag| (0..tag.tokens.len()).map(move |at| (tag, at)));
    let uses: Vec<_> = places.map(|(tag, at)| (tag, at, use_of(tag, at))).collect();
    let declared: HashSet<&str> = uses
        .iter()
        .filter(|(tag, at, used)| *used == Use::Declaration || *used == Use::Value && is_guarded(tag, *at))
        .map(|(tag, at, _)| tag.tokens[*at].text)
        .chain(sources.iter().map(String::as_str))
        .collect();
    let mut known = Vocabulary { environment, words: HashMap::new() };
    let faults = uses.iter().filter_map(|(tag, at, used)| {
        let token = tag.tokens[*at];
        let cause = match used {
            Use::Filter if known.has("|", token.text, ErrorKind::UnknownFilter) => None,
            Use::Filter => Some(Cause::UnknownFilter),
            Use::Test if known.has(" is ", token.text, ErrorKind::UnknownTest) => None,
            Use::Test => Some(Cause::UnknownTest),
            Use::Function if declared.contains(token.text) || FUNCTIONS.contains(&token.text) => None,
            Use::Function => Some(Cause::UnknownFunction),
            Use::Value => (!declared.contains(token.text)).then_some(Cause::UnknownSource),
            Use::Declaration | Use::Other => None,
        };
        Some(Fault::at(text, token.start, token.end(), cause?))
    });
    faults.take(FAULTS).collect()
}

/// Which filters and tests there are. minijinja has no list, so each word is tried once.
struct Vocabulary<'e, 't> {
    environment: &'e Environment<'e>,
    words: HashMap<(&'static str, &'t str), bool>,
}

impl<'t> Vocabulary<'_, 't> {
    /// True unless `''`, `operator` and `word` fail because of `kind`.
    fn has(&mut self, operator: &'static str, word: &'t str, kind: ErrorKind) -> bool {
        *self.words.entry((operator, word)).or_insert_with(|| {
            let result = self.environment.render_str(&format!("{{{{ ''{operator}{word} }}}}"), ());
            result.err().map(|error| error.kind()) != Some(kind)
        })
    }
}

fn use_of(tag: &Tag<'_>, at: usize) -> Use {
    let token = &tag.tokens[at];
    let before = at.checked_sub(1).and_then(|at| tag.tokens.get(at));
    let is_before = |text: &str| before.is_some_and(|before| before.is(text));
    let next = tag.tokens.get(at + 1);
    let is_next = |text: &str| next.is_some_and(|next| next.is(text));
    let statement = tag.is_statement.then(|| tag.tokens.first()).flatten();
    let is_of = |name: &str| statement.is_some_and(|first| first.is(name));
    if !token.is_name() || tag.is_statement && at == 0 || is_before(".") {
        return Use::Other;
    }
    let is_negated_test = is_before("not") && at > 1 && tag.tokens[at - 2].is("is");
    if is_before("|") || is_of("filter") && at == 1 {
        return Use::Filter;
    }
    if (is_before("is") && !token.is("not")) || is_negated_test {
        return Use::Test;
    }
    let in_for = is_of("for") && !tag.tokens[..at].iter().any(|token| token.is("in"));
    let in_set = is_of("set") && !tag.tokens[..at].iter().any(|token| token.is("="));
    if KEYWORDS.contains(&token.text) || is_of("autoescape") {
        return Use::Other;
    }
    if in_for || in_set || is_next("=") {
        return Use::Declaration;
    }
    if is_next("(") { Use::Function } else { Use::Value }
}

/// True if the value at `at` may be missing: a test or a default follows it, or its keys.
fn is_guarded(tag: &Tag<'_>, at: usize) -> bool {
    let mut rest = tag.tokens[at + 1..].iter();
    let after =
        rest.by_ref().skip_while(|token| token.is_name() && !GUARDS.contains(&token.text) || token.is("."));
    let words: Vec<_> = after.take(3).map(|token| token.text).collect();
    match words.as_slice() {
        ["is", "not", word, ..] | ["is", word, ..] => GUARDS.contains(word),
        ["|", word, ..] => ["default", "d"].contains(word),
        _ => false,
    }
}

/// The place of the first word that only a template of Go has: a key without a name before it, `:=`, or a statement in an expression.
pub(crate) fn go_word(tags: &[Tag<'_>]) -> Option<(usize, usize)> {
    tags.iter().find_map(|tag| {
        let at = tag.tokens.iter().enumerate().find(|(at, _)| is_go(tag, *at)).map(|(at, _)| at)?;
        let is_word = |token: &&Token<'_>| token.is_name() || token.is(".") || token.is("$");
        let word = tag.tokens[at..].iter().take_while(is_word).take(8);
        let mut end = tag.tokens[at].end();
        for (number, token) in word.enumerate() {
            // A name and its keys, or two names, as in `with secret`.
            let is_joined = token.start == end || number == 1 && tag.tokens[at].is_name();
            if number > 0 && !is_joined {
                break;
            }
            end = token.end();
        }
        Some((tag.tokens[at].start, end))
    })
}

/// Words that begin a statement in a template of Go, in `{{ }}`.
const GO_STATEMENTS: [&str; 9] =
    ["with", "range", "end", "if", "else", "define", "template", "block", "break"];

fn is_go(tag: &Tag<'_>, at: usize) -> bool {
    let token = &tag.tokens[at];
    let before = at.checked_sub(1).map(|before| &tag.tokens[before]);
    let next = tag.tokens.get(at + 1);
    let is_apart = before.is_none_or(|before| before.end() != token.start);
    let is_key = token.is(".") && is_apart && next.is_none_or(|next| next.start == token.end());
    let is_statement = !tag.is_statement
        && at == 0
        && GO_STATEMENTS.contains(&token.text)
        && !next.is_some_and(|next| next.is("(") || next.is(".") && next.start == token.end());
    let is_call = !tag.is_statement
        && token.is_name()
        && !KEYWORDS.contains(&token.text)
        && before.is_none_or(|before| before.is("|"))
        && next.is_some_and(|next| next.kind == TokenKind::Quoted);
    is_key || is_statement || is_call || token.is("$") || token.is(":=")
}
