//! Cuts the blocks out of a PEM text (RFC 7468). Does not decode them.
//!
//! People paste PEM into secrets in forms that no reader takes: indented, on one line, with `\n` as two characters. Such a text is repaired.

/// One block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The label, such as `CERTIFICATE` or `PRIVATE KEY`.
    pub(crate) label: String,
    /// The text with both boundaries. Every line ends with a line feed, including the last one, so that blocks can be concatenated.
    pub(crate) text: String,
}

/// All complete blocks, in order. Skips text between blocks, and a block without an end.
pub(crate) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in repaired(text).lines().map(str::trim) {
        if let Some(label) = boundary(line, "BEGIN") {
            open = Some(Block { label: label.to_owned(), text: String::new() });
        }
        let Some(block) = &mut open else { continue };
        let end = boundary(line, "END");
        if line.starts_with("-----") || line.contains(':') || line.is_empty() {
            block.text.extend([line, "\n"]);
        } else {
            // Lines of base64 that were joined with spaces.
            line.split_whitespace().for_each(|line| block.text.extend([line, "\n"]));
        }
        if end == Some(block.label.as_str()) {
            blocks.extend(open.take());
        }
    }
    blocks
}

/// True if a block begins in `text` and does not end.
pub(crate) fn is_open(text: &str) -> bool {
    text.matches("-----BEGIN ").count() > blocks(text).len()
}

const BOUNDARIES: [&str; 2] = ["-----BEGIN ", "-----END "];

/// The text with every boundary on a line of its own, and with line breaks in place of the two characters `\n`. Base64 has no such character.
fn repaired(text: &str) -> String {
    let text = text.replace("\\r\\n", "\n").replace("\\n", "\n");
    let (mut lines, mut rest) = (String::new(), text.as_str());
    while let Some(at) = BOUNDARIES.iter().filter_map(|boundary| rest.find(boundary)).min() {
        let (before, boundary) = rest.split_at(at);
        let line = boundary.lines().next().unwrap_or_default();
        let start = BOUNDARIES[1].len();
        let end = line[start..].find("-----").map_or(line.len(), |dashes| start + dashes + 5);
        lines += before.trim_end_matches([' ', '\t']);
        if !lines.is_empty() && !lines.ends_with('\n') {
            lines.push('\n');
        }
        lines += &boundary[..end];
        lines.push('\n');
        let after = boundary[end..].trim_start_matches([' ', '\t', '\r']);
        rest = after.strip_prefix('\n').unwrap_or(after);
    }
    lines + rest
}

/// The label of a line `-----<kind> <label>-----`.
fn boundary<'a>(line: &'a str, kind: &str) -> Option<&'a str> {
    line.strip_prefix("-----")?.strip_prefix(kind)?.strip_prefix(' ')?.strip_suffix("-----")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_between_other_text() {
        let text = "subject=a\r\n-----BEGIN A-----\r\nAA==\r\n-----END A-----\n\n-----BEGIN B KEY-----\nBB==\n-----END B KEY-----";
        let found = blocks(text);
        assert_eq!(
            found[0],
            Block { label: "A".into(), text: "-----BEGIN A-----\nAA==\n-----END A-----\n".into() }
        );
        assert_eq!(
            found[1],
            Block {
                label: "B KEY".into(),
                text: "-----BEGIN B KEY-----\nBB==\n-----END B KEY-----\n".into()
            }
        );
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn a_block_without_an_end_is_skipped_and_hides_no_other() {
        assert_eq!(blocks("-----BEGIN A-----\nAA==\n"), []);
        let found =
            blocks("-----BEGIN A-----\nAA==\n-----BEGIN B-----\nBB==\n-----END A-----\n-----END B-----\n");
        assert_eq!((found.len(), found[0].label.as_str()), (1, "B"));
        assert!(blocks("-----END A-----\n-----BEGIN -----\n----- BEGIN A-----\n").is_empty());
    }

    #[test]
    fn a_text_that_was_pasted_in_another_form_is_repaired() {
        let (a, b) =
            ("-----BEGIN A-----\nAA\nBB==\n-----END A-----\n", "-----BEGIN B-----\nCC==\n-----END B-----\n");
        let whole = format!("{a}{b}");
        for odd in [
            whole.clone(),
            whole.replace('\n', "\r\n"),
            whole.replace('\n', "\\n"),
            whole.replace('\n', "\\r\\n"),
            whole.lines().map(|line| format!("    {line}  \n")).collect(),
            whole.lines().map(|line| format!("\t{line}\n")).collect(),
            whole.replace("A-----\n-----BEGIN B", "A----------BEGIN B"),
            whole.replace('\n', " "),
            whole.replace("-----\n", "-----").replace("\n-----", "-----"),
        ] {
            let found = blocks(&odd);
            let texts: String = found.iter().map(|block| block.text.as_str()).collect();
            assert_eq!((texts.as_str(), is_open(&odd)), (whole.as_str(), false), "{odd:?}");
        }
        let with_headers =
            "-----BEGIN K-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAA==\n-----END K-----\n";
        assert_eq!(blocks(with_headers)[0].text, with_headers);
        assert!(is_open("-----BEGIN A-----\nAA==") && is_open("-----BEGIN A-----\nAA==\n-----END B-----"));
    }
}
