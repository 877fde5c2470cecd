use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::string::bytes_regex;

use super::*;

/// The markers of mvisonneau/s5, as a regular expression for the test's generator.
const ORIGINAL: &str = r"\{\{[\t\n\x0c\r ]?s5:[A-Za-z0-9+\\/=]{0,40}[\t\n\x0c\r ]?\}\}";

fn found(text: &[u8]) -> Vec<(usize, String)> {
    S5Document::parse(text).markers.into_iter().map(|marker| (marker.line, marker.ciphertext)).collect()
}

fn filled(text: &[u8], value: &str) -> Vec<u8> {
    let value = Secret::from(value);
    S5Document::parse(text).filled(usize::MAX, |_| Ok::<_, TooLarge>(&value)).unwrap().expose().to_vec()
}

#[test]
fn markers_are_those_that_the_original_tool_recognises() {
    let markers = ["{{s5:AA==}}", "{{ s5:AA== }}", "{{\ts5:AA==\n}}", "{{ s5:AA==}}", "{{s5:vault:v1:AA==}}"];
    for text in markers {
        assert_eq!(found(text.as_bytes()), [(1, "vault:v1:AA==".into())], "{text}");
    }
    assert_eq!(found(b"{{ s5:a\\/b }}{{ s5: }}"), [(1, r"vault:v1:a\/b".into()), (1, "vault:v1:".into())]);
    let others = [
        "{{  s5:AA== }}",
        "{{ s5: AA== }}",
        "{{ s5:AA==  }}",
        "{ { s5:AA== }}",
        "{{ s5:AA== }",
        "{{ S5:AA== }}",
        "{{ s5:A-_A }}",
        "{{\u{b}s5:AA== }}",
        "{{ s5:vault:v:AA== }}",
        "{{ s5:vault:v1AA== }}",
        "{{ s5:vault:1:AA== }}",
        "{{ s5:vault:v1:vault:v1:AA== }}",
        "{{ .Values.s5 }}",
        "",
    ];
    for text in others {
        assert_eq!(
            (found(text.as_bytes()), filled(text.as_bytes(), "x")),
            (vec![], text.as_bytes().to_vec()),
            "{text}"
        );
    }
}

#[test]
fn a_marker_names_the_key_version_unless_it_is_the_first() {
    assert_eq!(marker("vault:v1:AA=="), "{{ s5:AA== }}");
    assert_eq!(marker("vault:v12:AA=="), "{{ s5:vault:v12:AA== }}");
    assert_eq!(found(marker("vault:v12:AA==").as_bytes()), [(1, "vault:v12:AA==".into())]);
}

#[test]
fn a_marker_knows_its_line_and_a_ciphertext_is_decrypted_once() {
    let text = b"a: {{ s5:A }}\r\nb: {{ s5:B }} {{s5:vault:v1:A}}\n\n{{\ns5:C }}\nd: {{ s5:vault:v2:A }}";
    let expected =
        [(1, "vault:v1:A"), (2, "vault:v1:B"), (2, "vault:v1:A"), (4, "vault:v1:C"), (6, "vault:v2:A")];
    assert_eq!(found(text), expected.map(|(line, ciphertext)| (line, ciphertext.to_owned())));
    let (one, other) = (S5Document::parse(text), S5Document::parse(b"{{ s5:B }}{{ s5:D }}"));
    assert_eq!(
        ciphertexts([&one, &other]),
        ["vault:v1:A", "vault:v1:B", "vault:v1:C", "vault:v2:A", "vault:v1:D"]
    );
}

#[test]
fn the_text_around_a_marker_is_unchanged() {
    let cases: [(&[u8], &[u8]); 6] = [
        (b"a: {{ s5:A }}\r\nb: 1\r\n", b"a: VALUE\r\nb: 1\r\n"),
        (b"{{ s5:A }}", b"VALUE"),
        (b"{{{ s5:A }}}", b"{VALUE}"),
        (b"\xff\xfe{{ s5:A }}\x00\xc3", b"\xff\xfeVALUE\x00\xc3"),
        (b"{{ s5:A }}: {{s5:A}}{{ s5:{{ s5:A }}", b"VALUE: VALUE{{ s5:VALUE"),
        (b"{{ s5:A \n{{ .Values.a }}\n\n", b"{{ s5:A \n{{ .Values.a }}\n\n"),
    ];
    for (text, expected) in cases {
        assert_eq!(filled(text, "VALUE"), expected, "{}", text.escape_ascii());
    }
}

#[test]
fn a_value_that_has_the_form_of_a_marker_is_not_replaced() {
    assert_eq!(filled(b"{{ s5:A }}{{ s5:B }}", "{{ s5:C }}"), b"{{ s5:C }}{{ s5:C }}");
    assert_eq!(filled(b"{{ s5:A }} s5:B }}", "{{"), b"{{ s5:B }}");
}

#[test]
fn many_markers_of_a_long_value_are_refused_before_they_take_memory() {
    let (text, value) = ("{{s5:A}}".repeat(1000), Secret::from("x".repeat(1000)));
    let fill = |limit| S5Document::parse(text.as_bytes()).filled(limit, |_| Ok::<_, TooLarge>(&value));
    assert_eq!(fill(999_999).unwrap_err().reason(), Reason::PayloadTooLarge);
    assert_eq!(fill(1_000_000).unwrap().len(), 1_000_000);
}

#[test]
fn a_marker_without_a_value_is_an_error() {
    #[derive(Debug, PartialEq)]
    struct Missing(usize);
    impl From<TooLarge> for Missing {
        fn from(_: TooLarge) -> Self {
            Self(0)
        }
    }
    let value = Secret::from("v");
    let marked = S5Document::parse(b"{{ s5:A }}\n{{ s5:B }}");
    let outcome = marked.filled(100, |marker| {
        if marker.ciphertext() == "vault:v1:A" { Ok(&value) } else { Err(Missing(marker.line())) }
    });
    assert_eq!(outcome.unwrap_err(), Missing(2));
}

#[test]
fn a_hostile_text_takes_linear_time() {
    let begun = Instant::now();
    for piece in ["{", "{{", "{{ s5:", "{{s5:A", "{{ s5:vault:v1", "{{s5:vault:v1:A ", "{{ s5:A }"] {
        let text = piece.repeat(2 * 1024 * 1024 / piece.len());
        assert_eq!(S5Document::parse(text.as_bytes()).markers().len(), 0);
    }
    let long = format!("{{{{ s5:{}", "A".repeat(2 * 1024 * 1024));
    assert_eq!(S5Document::parse(long.as_bytes()).markers().len(), 0);
    // In quadratic time each of them would take hours.
    assert!(begun.elapsed() < Duration::from_secs(60));
}

proptest! {
    #[test]
    fn arbitrary_bytes_neither_panic_nor_change(text in prop::collection::vec(any::<u8>(), 0..200)) {
        if found(&text).is_empty() {
            prop_assert_eq!(filled(&text, "x"), text);
        }
    }

    #[test]
    fn parts_of_markers_neither_panic_nor_hide_a_complete_one(
        front in r"(\{|\}|\{\{|s5:|vault:v1:|A|=| |\n){0,12}", back in r"(\{|\}|s5:|vault:v1:|A|=| |\n){0,12}"
    ) {
        let text = format!("{front}{{{{ s5:QQ== }}}}{back}");
        prop_assert!(found(text.as_bytes()).iter().any(|(_, ciphertext)| ciphertext == "vault:v1:QQ=="), "{}", text);
    }

    #[test]
    fn every_marker_of_the_original_tool_is_replaced(
        marker in bytes_regex(ORIGINAL).unwrap(), front in "[^{]{0,20}", back in "[^}]{0,20}"
    ) {
        let text = [front.as_bytes(), &marker, back.as_bytes()].concat();
        prop_assert_eq!(filled(&text, "value"), format!("{front}value{back}").into_bytes());
    }

    #[test]
    fn replacing_markers_by_themselves_does_not_change_the_text(
        pieces in prop::collection::vec(("[^{]{0,10}", 1_u32..20, "[A-Za-z0-9+/]{1,20}={0,2}"), 0..8)
    ) {
        let text: String = pieces.iter().map(|(front, version, base64)| format!("{front}{}", marker(&format!("vault:v{version}:{base64}")))).collect();
        let marked = S5Document::parse(text.as_bytes());
        prop_assert_eq!(marked.markers().len(), pieces.len());
        let own: Vec<_> = marked.markers().iter().map(|found| (found.ciphertext().to_owned(), Secret::from(marker(found.ciphertext())))).collect();
        let value = |found: &Marker| Ok::<_, TooLarge>(&own.iter().find(|(ciphertext, _)| ciphertext == found.ciphertext()).unwrap().1);
        let same = marked.filled(usize::MAX, value).unwrap();
        prop_assert_eq!(same.expose(), text.as_bytes());
    }
}
