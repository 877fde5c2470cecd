//! Words of Go templates, consul-template, Vault Agent and Sprig, and what templates have in their place. For messages and `docs/templates.md`.

/// A function, the tool that has it, and what to write here.
pub(crate) struct GoWord {
    pub(crate) names: &'static str,
    pub(crate) here: &'static str,
}

const fn word(names: &'static str, here: &'static str) -> GoWord {
    GoWord { names, here }
}

/// Every word that has an equivalent. Names are separated by spaces.
pub(crate) const GO_WORDS: &[GoWord] = &[
    word(
        "secret secrets key keyExists ls tree service",
        "name the secret in `sources`, and write `name.key`",
    ),
    word("env sprig_env getenv", "`pod.name` and its like for facts of the pod; there is no environment"),
    word("file readFile", "a source; templates read no files"),
    word("b64enc base64Encode base64encode b64_encode base64", "`b64encode`"),
    word("b64dec base64Decode base64decode b64_decode", "`b64decode`"),
    word("base64URLEncode base64URLDecode", "`b64encode`, `b64decode`, and `replace` for `-` and `_`"),
    word("toJSON toJson to_json mustToJson toRawJson json_encode jsonencode", "`json`"),
    word("toJSONPretty toPrettyJson mustToPrettyJson to_nice_json", "`json(indent=2)`"),
    word("toYAML toYaml to_yaml to_nice_yaml yamlencode", "`yaml`"),
    word("toTOML toToml to_toml", "`toml`"),
    word("parseJSON fromJson mustFromJson jsondecode parse_json", "`from_json`"),
    word("parseYAML fromYaml yamldecode parse_yaml", "`from_yaml`"),
    word("md5sum", "`md5`"),
    word("sha1Hex sha1sum", "`sha1`"),
    word("sha256Hex sha256sum hash", "`sha256`"),
    word("sha512sum", "`sha512`"),
    word(
        "bcrypt htpasswd genPassword randAlphaNum uuidv4 now timestamp",
        "nothing: a template has no randomness and no clock, so that equal secrets give equal files",
    ),
    word("toUpper uppercase", "`upper`"),
    word("toLower lowercase", "`lower`"),
    word("toTitle", "`title`"),
    word("trimSpace strip trimPrefix trimSuffix trimAll", "`trim`, with the characters as its argument"),
    word("replaceAll regexReplaceAll", "`replace`"),
    word("split splitList splitToMap", "`split`"),
    word("nindent", "`indent`"),
    word("printf sprintf", "`format`"),
    word("print println", "the value itself, or `~` between texts"),
    word("quote toString", "`json` for a text in double quotes, `string` for any value as text"),
    word("squote shellescape", "`shell`"),
    word("urlquery urlqueryescape url_encode urlEncode", "`url`"),
    word("index get pluck dig", "`map[\"a-key\"]` or `list[0]`"),
    word("len size", "`length`"),
    word("first_item head", "`first`"),
    word("sortAlpha", "`sort`"),
    word("uniq", "`unique`"),
    word("keys", "`list`"),
    word("range_over", "`{% for item in list %}`"),
    word("add add1", "`+`"),
    word("sub subtract", "`-`"),
    word("mul multiply", "`*`"),
    word("div divide", "`//`"),
    word("mod modulo", "`%`"),
    word("eq", "`==`"),
    word("ne", "`!=`"),
    word("contains containsAny has hasKey", "`in`"),
    word("coalesce default_value", "`default(\"...\", true)`"),
    word("ternary", "`a if b else c`"),
    word("parseInt toInt atoi int64 parseUint", "`int`"),
    word("parseFloat float64", "`float`"),
    word("parseBool toBool", "`bool`"),
    word("include tpl template define block", "nothing: each file has one template"),
    word("pkiCert writeToFile", "`pki` with `files`"),
    word("e escape safe html", "nothing: nothing is escaped for HTML"),
    word("pprint debug dump", "`json`"),
];

/// What to write in place of `word`.
pub(crate) fn instead_of(word: &str) -> Option<&'static str> {
    let is = |names: &str| names.split(' ').any(|name| name.eq_ignore_ascii_case(word));
    GO_WORDS.iter().find(|row| is(row.names)).map(|row| row.here)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/templates.md");
    const FROM: &str = "<!-- go words -->\n";
    const TO: &str = "<!-- end of go words -->";

    #[test]
    fn the_documentation_has_the_table_of_go_words() {
        let page = std::fs::read_to_string(PAGE).unwrap();
        let (before, rest) = page.split_once(FROM).unwrap();
        let (_, after) = rest.split_once(TO).unwrap();
        let rows = GO_WORDS
            .iter()
            .map(|GoWord { names, here }| format!("| {} | {here} |\n", names.replace(' ', ", ")));
        let rows: String = rows.collect();
        let wanted = format!("{before}{FROM}| there | here |\n| --- | --- |\n{rows}{TO}{after}");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(PAGE, &wanted).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(PAGE).unwrap(),
            wanted,
            "run `UPDATE_DOCS=1 cargo test --lib go_words`"
        );
    }
}
