use proptest::prelude::*;

use super::*;

/// What the driver itself accepts, told from its documentation of `File.path` (`docs/reference.md`).
fn driver_accepts(path: &str) -> bool {
    let parts: Vec<_> = path.split('/').collect();
    !path.is_empty()
        && !path.starts_with('/')
        && path.len() <= 4096
        && parts.iter().all(|part| !part.is_empty() && *part != "." && *part != ".." && part.len() <= 255)
        && !path.starts_with("..")
}

fn table() -> Vec<(String, Result<(), PathError>)> {
    use PathError::{Absolute, Dots, Empty, EmptyPart, Long, LongPart, Reserved, Unprintable};
    let good = [
        "a",
        "A",
        "a.b",
        ".a",
        "a.",
        "a..",
        "a..b",
        "a/b",
        "a/b/c",
        "a/.b",
        "a/..b",
        "a/...",
        "-",
        "_",
        "~",
        "@",
        "a b",
        " ",
        " a",
        "a ",
        "a:b",
        "a=b",
        "a,b",
        "a;b",
        "a&b",
        "a|b",
        "a*b",
        "a?b",
        "a#b",
        "a%b",
        "a\\b",
        "\\",
        "a'b",
        "a\"b",
        "a`b",
        "$a",
        "${a}",
        "$(a)",
        "{a}",
        "[a]",
        "(a)",
        "<a>",
        "!",
        "+",
        "^",
        "a+b",
        "tls.crt",
        "tls.key",
        "db/user",
        "nested/bar",
        "CON",
        "nul",
        "aux.txt",
        "con/a",
        "0",
        "00",
        "1",
        "a1",
        "1/2",
        "é",
        "e\u{301}",
        "ß",
        "İ",
        "ı",
        "中文",
        "ключ",
        "מפתח",
        "مفتاح",
        "🔑",
        "a\u{200d}b",
        "a\u{200c}b",
        "a\u{200b}b",
        "a\u{a0}b",
        "\u{3000}",
        "a\u{3000}b",
        "ａ",
        "．",
        "．．",
        "a/．．",
        "／",
        "∕",
        "a∕b",
        "․․",
        "‥",
        "…",
        ".vaultmount",
        ".data",
        "data",
        "data/..data",
        "a/..data",
        "%2e%2e",
        "%2f",
        "a%00b",
        "a/%2e%2e/b",
        "~/.ssh",
        "C:",
        "C:\\a",
        "c:/a",
        "file:a",
        "a.yaml",
        "a.json",
        "a-b_c.d",
        "x/y.z",
        "UPPER/lower",
        "a\u{fffd}",
        "\u{e000}",
        "\u{10ffff}",
        "--help",
        "-rf",
        "a/-b",
        "🏳\u{fe0f}\u{200d}🌈",
    ];
    let bad = [
        ("", Empty),
        ("/", Absolute),
        ("/a", Absolute),
        ("//", Absolute),
        ("//a", Absolute),
        ("/../a", Absolute),
        ("/.", Absolute),
        ("/etc/passwd", Absolute),
        ("a/", EmptyPart),
        ("a//", EmptyPart),
        ("a//b", EmptyPart),
        ("a/b/", EmptyPart),
        ("a/b//c", EmptyPart),
        ("a///b", EmptyPart),
        (".", Dots),
        ("..", Dots),
        ("./", Dots),
        ("../", Dots),
        ("./a", Dots),
        ("../a", Dots),
        ("a/.", Dots),
        ("a/..", Dots),
        ("a/./b", Dots),
        ("a/../b", Dots),
        ("a/b/..", Dots),
        ("a/b/.", Dots),
        ("../..", Dots),
        ("../../etc/shadow", Dots),
        ("./.", Dots),
        ("a/../../b", Dots),
        (".//a", Dots),
        ("..//a", Dots),
        ("a/../..", Dots),
        ("..a", Reserved),
        ("...", Reserved),
        ("....", Reserved),
        ("..data", Reserved),
        ("..data/a", Reserved),
        ("..data_tmp", Reserved),
        ("..2024_01_01_00_00_00.1/a", Reserved),
        (".. ", Reserved),
        ("..a/b", Reserved),
        ("..\\a", Reserved),
        ("..%2fa", Reserved),
        ("..;/a", Reserved),
        ("...a", Reserved),
        (".../a", Reserved),
        ("..é", Reserved),
        ("a\0", Unprintable),
        ("\0", Unprintable),
        ("a\0b", Unprintable),
        ("a/\0", Unprintable),
        ("a\n", Unprintable),
        ("\n", Unprintable),
        ("a\nb", Unprintable),
        ("a\r", Unprintable),
        ("a\tb", Unprintable),
        ("a\x1b[31m", Unprintable),
        ("\x1b", Unprintable),
        ("a\x07", Unprintable),
        ("a\x08b", Unprintable),
        ("a\x7f", Unprintable),
        ("a\u{80}", Unprintable),
        ("a\u{85}b", Unprintable),
        ("a\u{9b}b", Unprintable),
        ("a\u{9f}", Unprintable),
        ("a\u{61c}b", Unprintable),
        ("a\u{200e}", Unprintable),
        ("a\u{200f}", Unprintable),
        ("a\u{2028}", Unprintable),
        ("a\u{2029}", Unprintable),
        ("a\u{202a}", Unprintable),
        ("a\u{202b}", Unprintable),
        ("a\u{202c}", Unprintable),
        ("a\u{202d}", Unprintable),
        ("a\u{202e}txt.exe", Unprintable),
        ("a\u{2066}", Unprintable),
        ("a\u{2067}", Unprintable),
        ("a\u{2068}", Unprintable),
        ("a\u{2069}", Unprintable),
        ("\u{feff}a", Unprintable),
        ("a/\u{202e}b", Unprintable),
        ("..\0", Unprintable),
        ("a\x01", Unprintable),
        ("a\x02", Unprintable),
        ("a\x03", Unprintable),
        ("a\x1f", Unprintable),
        ("a\x0b", Unprintable),
        ("a\x0c", Unprintable),
    ];
    let long = [
        ("x".repeat(255), Ok(())),
        ("x".repeat(256), Err(LongPart)),
        (format!("a/{}", "x".repeat(256)), Err(LongPart)),
        (format!("{}/b", "é".repeat(128)), Err(LongPart)),
        ("é".repeat(127), Ok(())),
        ("x/".repeat(2047) + "xx", Ok(())),
        ("x/".repeat(2048) + "x", Err(Long)),
        ("x".repeat(4097), Err(Long)),
        ("../".repeat(2000), Err(Long)),
    ];
    let good = good.into_iter().map(|name| (name.to_owned(), Ok(())));
    let bad = bad.into_iter().map(|(name, error)| (name.to_owned(), Err(error)));
    good.chain(bad).chain(long).collect()
}

#[test]
fn two_hundred_names_are_judged_before_any_call_to_vault() {
    let table = table();
    assert!(table.len() >= 200, "{}", table.len());
    for (name, judgement) in table {
        assert_eq!(name.parse::<MountPath>().map(|_| ()), judgement, "{name:?}");
    }
}

proptest! {
    #[test]
    fn the_driver_takes_every_name_that_we_take(name in "[a./ \\n\u{202e}é]{0,12}|\\PC{0,12}") {
        if let Ok(path) = name.parse::<MountPath>() {
            prop_assert!(driver_accepts(&name));
            prop_assert_eq!(path.as_str(), name);
        }
    }

    #[test]
    fn a_name_that_the_driver_takes_is_refused_only_for_its_characters(name in "[ab./]{0,12}") {
        prop_assert_eq!(name.parse::<MountPath>().is_ok(), driver_accepts(&name));
    }
}

#[test]
fn names_that_cannot_share_a_volume_are_named_together() {
    let paths = ["a", "b/c", "e\u{301}", "a/b/c", "é", "b-c", "b", "x"]
        .map(|name| name.parse::<MountPath>().unwrap());
    let texts: Vec<_> = conflicts(&paths).iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "objectName \"e\\u{301}\" is used 2 times: each file needs its own name",
            "objectNames \"a\" and \"a/b/c\" cannot both be files: one is the other's directory",
            "objectNames \"b\" and \"b/c\" cannot both be files: one is the other's directory",
        ]
    );
}
