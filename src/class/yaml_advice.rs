//! What to change in YAML that cannot be read: the usual mistakes, recognised by the lines around the place of the error.

use crate::goyaml::{Fault, YamlError};

const TAB: &str = "a tab indents this line or the one before: YAML takes spaces only";
const BRACES: &str = "a value that begins with {{ or {% must be in quotes, or stand on the lines below a `|`: to YAML a brace opens a mapping";
const BLOCK: &str = "a text of several lines needs a `|` after the colon, as in `template: |`, and its lines below are indented";
const SPACE: &str = "a colon needs a space after it, as in `objectName: db`";
const EQUALS: &str = "a field is written with a colon, as in `objectName: db`, and not with =";
const QUOTES: &str = "a value that begins with @, `, %, *, &, !, | or > must be in quotes";

/// Fields that take texts of several lines.
const TEXTS: [&str; 4] = ["template", "content", "default", "objects"];

/// The advice for `error` in `text`; `None` if the lines show none of the usual mistakes.
pub(crate) fn advice(text: &str, error: &YamlError) -> Option<&'static str> {
    match error.fault {
        Fault::Syntax | Fault::Anchor | Fault::Tag | Fault::NotText | Fault::KeyNotText => {}
        Fault::Character
        | Fault::Deep
        | Fault::Large
        | Fault::DuplicateKey
        | Fault::Merge
        | Fault::Binary
        | Fault::Type(_)
        | Fault::NotFinite => return None,
    }
    let lines: Vec<_> = text.lines().collect();
    let at = (error.line - 1).min(lines.len().checked_sub(1)?);
    // The scanner often stops one line below the mistake.
    let near = &lines[at.saturating_sub(1)..=at];
    let any = |is: fn(&str) -> bool| near.iter().any(|line| is(line));
    let is_syntax = error.fault == Fault::Syntax;
    [
        (is_syntax && any(|line| indentation(line).contains('\t')), TAB),
        (any(begins_with_braces), BRACES),
        (is_syntax && in_text_without_bar(&lines[..=at]), BLOCK),
        (is_syntax && any(lacks_space), SPACE),
        (is_syntax && any(has_equals), EQUALS),
        (any(needs_quotes), QUOTES),
    ]
    .into_iter()
    .find_map(|(found, advice)| found.then_some(advice))
}

fn indentation(line: &str) -> &str {
    &line[..line.len() - line.trim_start().len()]
}

/// The name and the value of a line `name: value`, with or without `- ` before it.
fn entry(line: &str) -> Option<(&str, &str)> {
    let line = line.trim().trim_start_matches("- ");
    let (name, value) = line.split_once(':')?;
    Some((name, value.trim()))
}

fn begins_with_braces(line: &str) -> bool {
    let braces = |text: &str| text.starts_with("{{") || text.starts_with("{%");
    entry(line).is_some_and(|(_, value)| braces(value)) || braces(line.trim().trim_start_matches("- "))
}

/// True if the last line belongs to the text of a field whose value does not begin with `|` or `>`.
fn in_text_without_bar(lines: &[&str]) -> bool {
    let Some((last, before)) = lines.split_last() else { return false };
    let is_text = |line: &str| {
        entry(line)
            .is_some_and(|(name, value)| TEXTS.contains(&name) && !value.starts_with(['|', '>', '"', '\'']))
    };
    let depth = |line: &str| {
        indentation(line).len() + line.trim_start().len() - line.trim_start().trim_start_matches("- ").len()
    };
    let mut inner = depth(last);
    for line in before.iter().rev().filter(|line| !line.trim().is_empty()) {
        if depth(line) < inner {
            if is_text(line) {
                return true;
            }
            inner = depth(line);
        }
    }
    false
}

/// `objectName:db`. An address such as `https://x` is no mistake.
fn lacks_space(line: &str) -> bool {
    let line = line.trim().trim_start_matches("- ");
    let name: String = line.chars().take_while(char::is_ascii_alphanumeric).collect();
    let rest = &line[name.len()..];
    !name.is_empty()
        && rest
            .strip_prefix(':')
            .is_some_and(|value| !value.is_empty() && !value.starts_with([' ', '/', '\t']))
}

/// `objectName = db`.
fn has_equals(line: &str) -> bool {
    let line = line.trim().trim_start_matches("- ");
    let name = line.len() - line.trim_start_matches(|letter: char| letter.is_ascii_alphanumeric()).len();
    name > 0 && line[name..].trim_start().starts_with('=')
}

fn needs_quotes(line: &str) -> bool {
    entry(line).is_some_and(|(_, value)| value.starts_with(['@', '`', '%', '*', '&', '!']))
}
