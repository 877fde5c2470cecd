//! Cuts the blocks out of a PEM text (RFC 7468). Does not decode them.

/// One block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block<'a> {
    /// The label, such as `CERTIFICATE` or `PRIVATE KEY`.
    pub(crate) label: &'a str,
    /// The text with both boundaries. Every line ends with a line feed, including the last one, so that blocks can be concatenated.
    pub(crate) text: String,
}

/// All complete blocks, in order. Skips text between blocks, and a block without an end.
pub(crate) fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut open: Option<Block<'_>> = None;
    for line in text.lines().map(str::trim_end) {
        if let Some(label) = boundary(line, "BEGIN") {
            open = Some(Block { label, text: String::new() });
        }
        let Some(block) = &mut open else { continue };
        block.text.extend([line, "\n"]);
        if boundary(line, "END") == Some(block.label) {
            blocks.extend(open.take());
        }
    }
    blocks
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
        assert_eq!(found[0], Block { label: "A", text: "-----BEGIN A-----\nAA==\n-----END A-----\n".into() });
        assert_eq!(
            found[1],
            Block { label: "B KEY", text: "-----BEGIN B KEY-----\nBB==\n-----END B KEY-----\n".into() }
        );
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn a_block_without_an_end_is_skipped_and_hides_no_other() {
        assert_eq!(blocks("-----BEGIN A-----\nAA==\n"), []);
        let found =
            blocks("-----BEGIN A-----\nAA==\n-----BEGIN B-----\nBB==\n-----END A-----\n-----END B-----\n");
        assert_eq!((found.len(), found[0].label), (1, "B"));
        assert!(blocks("-----END A-----\n-----BEGIN -----\n----- BEGIN A-----\n").is_empty());
    }
}
