//! s5 markers in a text: finds their ciphertexts, and replaces them by values.
//!
//! A marker is `{{ s5:<base64> }}`, as mvisonneau/s5 reads and writes it (`{{\s?s5:([A-Za-z0-9+\\/=]*)\s?}}`), or one
//! with `vault:v<n>:` before the base64. The rest of the text, which need not be UTF-8, is not changed.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::ops::Range;

use thiserror::Error;

use crate::error::Reason;
use crate::secret::Secret;

/// The prefix of a transit ciphertext of a key's first version. A marker without a version has this one.
const FIRST_VERSION: &str = "vault:v1:";

/// A text and its markers. Not `Debug`: the text may hold other secrets than ciphertexts.
pub(crate) struct S5Document<'t> {
    text: &'t [u8],
    markers: Vec<Marker>,
}

/// One marker.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    span: Range<usize>,
    line: usize,
    ciphertext: String,
}

/// The text with its values exceeds the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the text with the values of its s5 markers is larger than {limit} bytes")]
pub(crate) struct TooLarge {
    limit: usize,
}

impl TooLarge {
    /// The stable reason.
    pub(crate) fn reason(self) -> Reason {
        Reason::PayloadTooLarge
    }
}

impl Marker {
    /// The ciphertext for transit: `vault:v<n>:<base64>`.
    pub(crate) fn ciphertext(&self) -> &str {
        &self.ciphertext
    }

    /// The line in which the marker begins, from 1.
    pub(crate) fn line(&self) -> usize {
        self.line
    }
}

impl<'t> S5Document<'t> {
    /// Finds the markers of `text` in linear time: an attempt that fails at some byte has not passed any `{` that could begin another marker.
    pub(crate) fn parse(text: &'t [u8]) -> Self {
        let (mut markers, mut at, mut line) = (Vec::new(), 0, 1);
        while let Some(skipped) = text[at..].iter().position(|byte| *byte == b'{') {
            line += lines(&text[at..at + skipped]);
            at += skipped;
            let Some((length, ciphertext)) = marker_at(&text[at..]) else {
                at += 1;
                continue;
            };
            let span = at..at + length;
            at = span.end;
            markers.push(Marker { line, ciphertext, span: span.clone() });
            line += lines(&text[span]);
        }
        Self { text, markers }
    }

    /// The markers, in order.
    pub(crate) fn markers(&self) -> &[Marker] {
        &self.markers
    }

    /// The text with each marker replaced by its value.
    ///
    /// # Errors
    /// The error of `value`, or [`TooLarge`] if the text exceeds `limit` bytes: a short marker may have a long value, many times.
    pub(crate) fn filled<'s, E: From<TooLarge>>(
        &'s self,
        limit: usize,
        value: impl Fn(&'s Marker) -> Result<&'s Secret, E>,
    ) -> Result<Secret, E> {
        let mut pieces = Vec::with_capacity(2 * self.markers.len() + 1);
        let mut end = 0;
        for marker in &self.markers {
            pieces.push(&self.text[end..marker.span.start]);
            pieces.push(value(marker)?.expose());
            end = marker.span.end;
        }
        pieces.push(&self.text[end..]);
        let size = pieces
            .iter()
            .try_fold(0_usize, |sum, piece| sum.checked_add(piece.len()))
            .filter(|size| *size <= limit);
        // Allocates the exact size first: a buffer that grows leaves copies that are not wiped.
        let mut whole = Vec::with_capacity(size.ok_or(TooLarge { limit })?);
        pieces.iter().for_each(|piece| whole.extend_from_slice(piece));
        Ok(Secret::from(whole))
    }
}

/// The ciphertexts of all `texts` for one batch: each once, in the order of their first appearance.
pub(crate) fn ciphertexts<'m>(texts: impl IntoIterator<Item = &'m S5Document<'m>>) -> Vec<&'m str> {
    let mut seen = HashSet::new();
    let all = texts.into_iter().flat_map(S5Document::markers).map(Marker::ciphertext);
    all.filter(|ciphertext| seen.insert(*ciphertext)).collect()
}

/// The marker for `ciphertext`, a ciphertext of transit. The first version of a key is left out, so that the original tool can read the marker. It
/// cannot read later versions: it takes every version for the first.
pub(crate) fn marker(ciphertext: &str) -> String {
    format!("{{{{ s5:{} }}}}", ciphertext.strip_prefix(FIRST_VERSION).unwrap_or(ciphertext))
}

/// The length and the ciphertext of the marker at the start of `text`.
fn marker_at(text: &[u8]) -> Option<(usize, String)> {
    let rest = skip_space(text.strip_prefix(b"{{")?).strip_prefix(b"s5:")?;
    let (version, rest) = version(rest);
    let (base64, rest) =
        split(rest, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'\\' | b'/' | b'='));
    let rest = skip_space(rest).strip_prefix(b"}}")?;
    Some((
        text.len() - rest.len(),
        [version.unwrap_or(FIRST_VERSION), std::str::from_utf8(base64).ok()?].concat(),
    ))
}

/// `vault:v<n>:` if `text` begins with it, and the rest.
fn version(text: &[u8]) -> (Option<&str>, &[u8]) {
    let end = text.strip_prefix(b"vault:v").and_then(|rest| {
        let (digits, rest) = split(rest, u8::is_ascii_digit);
        let rest = rest.strip_prefix(b":")?;
        (!digits.is_empty()).then_some(text.len() - rest.len())
    });
    let (front, rest) = text.split_at(end.unwrap_or(0));
    (std::str::from_utf8(front).ok().filter(|front| !front.is_empty()), rest)
}

fn split(text: &[u8], belongs: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|byte| !belongs(byte)).unwrap_or(text.len()))
}

/// `text` without the one character that Go's `\s?` matches.
fn skip_space(text: &[u8]) -> &[u8] {
    match text {
        [b'\t' | b'\n' | b'\x0c' | b'\r' | b' ', rest @ ..] => rest,
        _ => text,
    }
}

fn lines(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'\n').count()
}
