//! The text of an event: names of files, never a value.

use std::collections::BTreeSet;
use std::fmt::Write;

/// Limit of names in one message.
const NAMES: usize = 8;
/// Limit of bytes of one message; the API server refuses more than 1024.
const BYTES: usize = 900;
/// Bytes that are reserved for the number of files without a name in the message.
const REST_BYTES: usize = 32;

/// `new content in volume "secrets": tls.crt, tls.key and 3 more`: the first names in order, as many as fit.
pub(crate) fn new_content(volume: &str, files: &BTreeSet<String>) -> String {
    let mut text = format!("new content in volume {volume:?}:");
    let mut named = 0;
    for file in files.iter().take(NAMES) {
        // Escaped: a line break in a name would start a new line in a terminal.
        let name = format!("{} {}", if named == 0 { "" } else { "," }, file.escape_debug());
        if text.len() + name.len() > BYTES - REST_BYTES {
            break;
        }
        text += &name;
        named += 1;
    }
    let _ = match (named, files.len() - named) {
        (_, 0) => Ok(()),
        (0, all) => write!(text, " {all} with long names"),
        (_, rest) => write!(text, " and {rest} more"),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(files: impl IntoIterator<Item = String>) -> String {
        new_content("secrets", &files.into_iter().collect())
    }

    #[test]
    fn a_message_names_the_volume_and_the_files() {
        assert_eq!(
            message(["tls.key".into(), "tls.crt".into()]),
            r#"new content in volume "secrets": tls.crt, tls.key"#
        );
    }

    #[test]
    fn of_many_files_eight_are_named_and_the_rest_counted() {
        let text = message((0..20).map(|number| format!("f{number:02}")));
        assert_eq!(
            text,
            r#"new content in volume "secrets": f00, f01, f02, f03, f04, f05, f06, f07 and 12 more"#
        );
    }

    #[test]
    fn names_that_do_not_fit_are_counted() {
        let text = message((0..9).map(|number| format!("{number}{}", "é".repeat(120))));
        assert!(text.len() <= BYTES, "{}", text.len());
        assert!(
            text.starts_with(r#"new content in volume "secrets": 0é"#) && text.ends_with("é and 6 more"),
            "{text}"
        );
        assert_eq!(
            message([format!("a/{}", "b".repeat(4000))]),
            r#"new content in volume "secrets": 1 with long names"#
        );
    }

    #[test]
    fn a_line_break_in_a_name_is_escaped() {
        assert_eq!(message(["a\nb\u{1b}[31m".into()]), r#"new content in volume "secrets": a\nb\u{1b}[31m"#);
    }
}
