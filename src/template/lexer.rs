//! The words of a template, with their places. Only for messages: minijinja decides what a template means. Linear in the length of the text.

use crate::spec::Delimiters;

/// An expression or a statement.
#[derive(Debug)]
pub(crate) struct Tag<'t> {
    /// Where its first delimiter begins, in bytes.
    pub(crate) start: usize,
    /// Where its last delimiter begins, or the end of the text.
    pub(crate) end: usize,
    pub(crate) is_statement: bool,
    pub(crate) tokens: Vec<Token<'t>>,
}

/// A word or a sign.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Token<'t> {
    pub(crate) text: &'t str,
    /// In bytes, from the start of the template.
    pub(crate) start: usize,
    pub(crate) kind: TokenKind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum TokenKind {
    Name,
    Number,
    /// With its quotes. It may be a secret.
    Quoted,
    Sign,
}

impl Token<'_> {
    pub(crate) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    pub(crate) fn is(&self, text: &str) -> bool {
        self.text == text && self.kind != TokenKind::Quoted
    }

    pub(crate) fn is_name(&self) -> bool {
        self.kind == TokenKind::Name
    }
}

/// Every expression and statement of `text`, in its order.
pub(crate) fn tags<'t>(text: &'t str, delimiters: &Delimiters) -> Vec<Tag<'t>> {
    let (statement, comment) = (delimiters.statement(), delimiters.comment());
    let (mut tags, mut at, mut raw) = (Vec::new(), 0, false);
    while let Some((start, opened)) = next_open(text, at, [&delimiters.open, &statement.0, &comment.0]) {
        at = match opened {
            0 => push(&mut tags, text, start, &delimiters.open, &delimiters.close, false),
            1 => push(&mut tags, text, start, &statement.0, &statement.1, true),
            _ => text[start..].find(&comment.1).map_or(text.len(), |end| start + end + comment.1.len()),
        };
        let first = |name: &str| {
            tags.last().is_some_and(|tag: &Tag<'_>| {
                tag.start == start && tag.tokens.first().is_some_and(|token| token.is(name))
            })
        };
        if raw && !first("endraw") {
            // Text, and not a tag.
            at = start + 1;
            tags.retain(|tag| tag.start != start);
            while !text.is_char_boundary(at) {
                at += 1;
            }
        } else {
            raw = opened == 1 && first("raw");
        }
    }
    tags
}

/// The bytes of the line `number`, from 1.
pub(crate) fn line(text: &str, number: u32) -> std::ops::Range<usize> {
    let mut start = 0;
    for (at, line) in text.split_inclusive('\n').enumerate() {
        if at + 1 == number as usize {
            return start..start + line.len();
        }
        start += line.len();
    }
    start..text.len()
}

/// The next place where one of `opens` stands, and its number; of two at one place the longer counts.
fn next_open(text: &str, at: usize, opens: [&str; 3]) -> Option<(usize, usize)> {
    let found = opens
        .iter()
        .enumerate()
        .filter_map(|(number, open)| Some((at + text.get(at..)?.find(open)?, number)));
    found.min_by_key(|(start, number)| (*start, usize::MAX - opens[*number].len()))
}

/// Adds the tag at `start`, and returns where the text goes on.
fn push<'t>(
    tags: &mut Vec<Tag<'t>>,
    text: &'t str,
    start: usize,
    open: &str,
    close: &str,
    is_statement: bool,
) -> usize {
    let begin = start + open.len();
    let has_mark = text[begin..].starts_with(['-', '+']);
    let (mut at, mut depth, mut tokens) = (begin + usize::from(has_mark), 0_usize, Vec::new());
    loop {
        let rest = &text[at..];
        let space = rest.len() - rest.trim_start().len();
        let (rest, begin) = (&rest[space..], at + space);
        let trimmed = rest.strip_prefix(['-', '+']).filter(|rest| rest.starts_with(close));
        if rest.is_empty() || depth == 0 && (rest.starts_with(close) || trimmed.is_some()) {
            tags.push(Tag { start, end: begin, is_statement, tokens });
            let marks = rest.len() - trimmed.unwrap_or(rest).len();
            return (begin + marks + close.len()).min(text.len());
        }
        let token = next_token(rest, begin);
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        at = token.end();
        tokens.push(token);
    }
}

/// The token at the beginning of `rest`, which is not empty.
fn next_token(rest: &str, start: usize) -> Token<'_> {
    let first = rest.chars().next().unwrap_or_default();
    let (length, kind) = match first {
        '"' | '\'' => (quoted(rest, first), TokenKind::Quoted),
        _ if first.is_alphabetic() || first == '_' => (
            rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len()),
            TokenKind::Name,
        ),
        _ if first.is_ascii_digit() => {
            (rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len()), TokenKind::Number)
        }
        '=' | '!' | '<' | '>' | ':' if rest[1..].starts_with('=') => (2, TokenKind::Sign),
        _ => (first.len_utf8(), TokenKind::Sign),
    };
    Token { text: &rest[..length], start, kind }
}

/// The length of the text in quotes at the beginning of `rest`.
fn quoted(rest: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if letter == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Vec<Vec<&str>> {
        let tags = tags(text, &Delimiters::default());
        tags.iter().map(|tag| tag.tokens.iter().map(|token| token.text).collect()).collect()
    }

    #[test]
    fn tags_are_split_into_words_and_text_comments_and_raw_blocks_are_none() {
        assert_eq!(words("a {{ db.user | url }} b"), [vec!["db", ".", "user", "|", "url"]]);
        assert_eq!(words("{%- if a == 'x}}' -%}{# {{ b }} #}"), [vec!["if", "a", "==", "'x}}'"]]);
        assert_eq!(words("{{ {'a': {'b': 1}} }}{{ c }}").len(), 2);
        assert_eq!(
            words("{% raw %}{{ a }}{% if %}{% endraw %}{{ b }}"),
            [vec!["raw"], vec!["endraw"], vec!["b"]]
        );
        let brackets = "[[ ]]".parse().unwrap();
        assert_eq!(tags("{{ a }}[[ b ]][% set c = 1 %]", &brackets).len(), 2);
        assert_eq!(words("{{ a"), [vec!["a"]]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in r"(\{\{|\}\}|\{%|%\}|\{#|#\}|raw|endraw|['a. é|]){0,40}") {
            for tag in tags(&text, &Delimiters::default()) {
                prop_assert!(tag.start < text.len() && tag.end <= text.len());
                prop_assert!(tag.tokens.iter().all(|token| text[token.start..].starts_with(token.text)));
            }
        }
    }
}
