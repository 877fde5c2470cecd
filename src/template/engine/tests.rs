//! Tests of the engine alone, in this process: what templates mean. `tests/library/templates/` tests their limits.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::template::error::listed;
use crate::template::mistake::{Context, FILTERS};

const CANARY: &str = "c4n4ry-of-a-secret";

/// The line and the cause of the first fault.
#[derive(Debug, PartialEq)]
struct Fault {
    line: u32,
    cause: Cause,
}

fn rendered_by(delimiters: &Delimiters, text: &str, sources: &Value) -> Result<String, Fault> {
    let sources = sources.to_string();
    let task = Task { text, delimiters: delimiters.clone(), sources: sources.as_bytes() };
    let text = render(&task, limits::OUTPUT)
        .map_err(|faults| Fault { line: faults[0].line, cause: faults[0].cause });
    text.map(|text| text.expose_text().unwrap().to_owned())
}

fn rendered(text: &str, sources: &Value) -> Result<String, Fault> {
    rendered_by(&Delimiters::default(), text, sources)
}

fn cause(text: &str, sources: &Value) -> Cause {
    rendered(text, sources).expect_err(text).cause
}

#[test]
fn a_connection_string_has_parts_of_two_sources() {
    let sources =
        json!({"db": {"username": "app", "password": "p/w"}, "where": {"host": "pg.example", "port": 5432}});
    let text =
        "postgres://[[ db.username ]]:[[ db.password | url ]]@[[ where.host ]]:[[ where['port'] ]]/app\n";
    let brackets = "[[ ]]".parse().unwrap();
    assert_eq!(rendered_by(&brackets, text, &sources).unwrap(), "postgres://app:p%2Fw@pg.example:5432/app\n");
}

#[test]
fn statements_and_comments_use_the_delimiters_and_braces_are_then_text() {
    let brackets = "[[ ]]".parse().unwrap();
    let text = "[# of hosts #][% for host in hosts %][[ host ]]{{ x }}{% y %}[% endfor %]";
    assert_eq!(
        rendered_by(&brackets, text, &json!({"hosts": ["a", "b"]})).unwrap(),
        "a{{ x }}{% y %}b{{ x }}{% y %}"
    );
}

#[test]
fn line_breaks_are_unchanged() {
    for text in ["", "\n", "a\n\n", "a\r\nb", "  {# x #}\n"] {
        assert_eq!(rendered(text, &json!({})).unwrap(), text.replace("{# x #}", ""));
    }
}

#[test]
fn nothing_is_escaped_for_html() {
    assert_eq!(rendered("{{ a }}", &json!({"a": "<&\"'>"})).unwrap(), "<&\"'>");
}

#[test]
fn a_name_or_key_that_does_not_exist_is_an_error_with_its_line() {
    let sources = json!({"db": {"user": CANARY}});
    assert_eq!(rendered("\n\n{{ db.usr }}", &sources), Err(Fault { line: 3, cause: Cause::Undefined }));
    for text in [
        "{{ x }}",
        "{{ x.y }}",
        "{{ x | upper }}",
        "{% if x %}{% endif %}",
        "{% for a in x %}{% endfor %}",
        "{{ x | shell }}",
    ] {
        assert_eq!(cause(text, &sources), Cause::Undefined, "{text}");
    }
}

#[test]
fn a_default_replaces_a_missing_value_and_null_only_on_request() {
    let sources = json!({"db": {"null": null}});
    assert_eq!(rendered("{{ db.port | default(5432) }}", &sources).unwrap(), "5432");
    assert_eq!(rendered("{{ x | default('a') }}{% if x is defined %}b{% endif %}", &sources).unwrap(), "a");
    assert_eq!(rendered("{{ db.null | default('a', true) }}", &sources).unwrap(), "a");
    assert_eq!(rendered("{{ 'a' if db.x is defined }}", &sources).unwrap(), "");
}

#[test]
fn null_lists_and_maps_never_become_text_by_accident() {
    let sources = json!({"null": null, "list": [CANARY], "map": {"a": CANARY}});
    assert_eq!(cause("{{ null }}", &sources), Cause::Null);
    for text in [
        "{{ null | b64encode }}",
        "{{ null | trim }}",
        "{{ ['a', null] | join }}",
        "{{ '%s' | format(null) }}",
        "{{ null | replace('a', 'b') }}",
    ] {
        assert_eq!(cause(text, &sources), Cause::Null, "{text}");
    }
    for text in [
        "{{ list }}",
        "{{ map }}",
        "{{ range(3) }}",
        "{{ list | shell }}",
        "{{ map | env }}",
        "{{ map | toml }}",
        "{{ list | trim }}",
        "{{ map | upper }}",
        "{{ list | string }}",
        "{{ [list] | join }}",
    ] {
        assert_eq!(cause(text, &sources), Cause::Whole, "{text}");
    }
}

#[test]
fn numbers_keep_their_digits() {
    let numbers = "[0, -1, 5432, 18446744073709551616, 0.5, 1.10, 1e+400, -0, 1.0, 12345678901234567890123456789012345678901234567890]";
    let task = format!("{{\"n\": {numbers}}}");
    for text in ["{{ n | json }}", "[{% for one in n %}{{ one }}{{ ',' if not loop.last }}{% endfor %}]"] {
        let task = Task { text, delimiters: Delimiters::default(), sources: task.as_bytes() };
        let text = render(&task, limits::OUTPUT).unwrap();
        assert_eq!(text.expose_text().unwrap(), numbers.replace(' ', ""));
    }
}

#[test]
fn booleans_are_written_as_in_json_and_yaml() {
    let sources = json!({"on": true, "off": false});
    assert_eq!(
        rendered("{{ on }} {{ off | shell }} {{ on | json }} {{ 1 < 2 }}", &sources).unwrap(),
        "true 'false' true true"
    );
    assert_eq!(
        rendered(
            "{{ on | string }} {{ off | trim }} {{ [on, 1, 'x'] | join(',') }} {{ on | upper }}",
            &sources
        )
        .unwrap(),
        "true false true,1,x TRUE"
    );
}

#[test]
fn text_filters_do_the_same_as_the_engines_own() {
    let sources = json!({"text": " a-b ", "list": [{"name": "x"}, {"name": "y"}]});
    for (text, expected) in [
        ("{{ text | trim | upper }}", "A-B"),
        ("{{ text | trim(' a') }}", "-b"),
        ("{{ text | replace('-', '+') }}", " a+b "),
        ("{{ 'a\\nb' | indent(2) }}", "a\n  b"),
        ("{{ list | map(attribute='name') | join(',') }}", "x,y"),
        ("{{ list | join(',', attribute='name') }}", "x,y"),
        ("{{ 'abc' | join('-') }}", "a-b-c"),
        ("{{ '%s=%d' | format('a', 1) }}", "a=1"),
        ("{{ '%(a)s' | format(a='b') }}", "b"),
    ] {
        assert_eq!(rendered(text, &sources).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn whole_numbers_can_be_calculated_with() {
    assert_eq!(
        rendered("{{ port + 1 }} {{ port * 2 // 3 }} {{ half + 1 }}", &json!({"port": 10, "half": 0.5}))
            .unwrap(),
        "11 6 1.5"
    );
}

#[test]
fn a_template_cannot_read_anything_but_its_sources() {
    let statements = [
        "include 'a'",
        "import 'a' as b",
        "from 'a' import b",
        "extends 'a'",
        "block b",
        "macro m()",
        "call m()",
        "debug",
    ];
    for statement in statements {
        assert_eq!(cause(&format!("{{% {statement} %}}"), &json!({})), Cause::Syntax, "{statement}");
    }
    for function in [
        "env", "getenv", "file", "open", "include", "now", "random", "lookup", "debug", "super", "cycler",
        "lipsum", "exec",
    ] {
        assert_eq!(
            cause(&format!("{{{{ {function}('/etc/passwd') }}}}"), &json!({})),
            Cause::UnknownFunction,
            "{function}"
        );
    }
    for filter in ["pprint", "safe", "escape", "e", "env_var", "random", "file", "read"] {
        assert_eq!(cause(&format!("{{{{ 'a' | {filter} }}}}"), &json!({})), Cause::UnknownFilter, "{filter}");
    }
    assert_eq!(cause("{{ 'a'.__class__ }}", &json!({})), Cause::Undefined);
    assert_eq!(cause("{{ 'a'.format() }}", &json!({})), Cause::UnknownFunction);
}

#[test]
fn a_fault_has_its_line_and_one_of_our_causes() {
    for (text, line, cause) in [
        ("a\n{{ 1 +", 2, Cause::Syntax),
        ("a\n\n{% end %}", 3, Cause::Syntax),
        ("{{ 'a' | nothing }}", 1, Cause::UnknownFilter),
        ("{{ 'a' is nothing }}", 1, Cause::UnknownTest),
        ("\n{{ 'a' | replace('b') }}", 2, Cause::Arguments),
        ("\n{{ 'a' - 1 }}", 2, Cause::Operation),
        ("{{ 'a' | b64decode }}", 1, Cause::NotBase64),
        ("{{ '/w==' | b64decode }}", 1, Cause::NotBase64),
        ("{{ 'a' | certificates }}", 1, Cause::NoCertificate),
        ("{{ 'a' | private_key }}", 1, Cause::NoPrivateKey),
        ("{{ '\\u0000' | shell }}", 1, Cause::NotQuotable),
        ("{{ {1: 2} | json }}", 1, Cause::NotText),
        ("{{ [nothing] | yaml }}", 1, Cause::NotText),
    ] {
        assert_eq!(rendered(text, &json!({})), Err(Fault { line, cause }), "{text}");
    }
}

#[test]
fn a_text_that_exceeds_the_limit_is_a_fault() {
    let task = Task {
        text: "{% for i in range(5) %}ab{% endfor %}",
        delimiters: Delimiters::default(),
        sources: b"{}",
    };
    assert_eq!(render(&task, 10).unwrap().len(), 10);
    assert_eq!(render(&task, 9).unwrap_err()[0].cause, Cause::TooLong);
}

/// The message for `text` with the sources `db` and `ca`, or nothing.
fn checked(text: &str) -> String {
    let delimiters = Delimiters::default();
    let task = Task { text, delimiters: delimiters.clone(), sources: br#"["db", "ca", "pod"]"# };
    let Err(faults) = render(&task, 0) else { return String::new() };
    let context = Context { text, delimiters: &delimiters, names: vec!["db", "ca", "pod"], values: None };
    let mistakes: Vec<_> = faults.iter().map(|fault| context.mistake(fault)).collect();
    listed(&mistakes)
}

/// Wrong lines, and what the message must contain.
const WRONG: &[(&str, &[&str])] = &[
    ("user = {{ .db.username }}", &["column 11", ".db.username", "db.username", "Go"]),
    ("{{ .Data.data.password }}", &["column 4", ".Data.data.password", "Go"]),
    ("{{ with secret \"secret/data/db\" }}{{ .Data.data.x }}{{ end }}", &["with secret", "Go", "`sources`"]),
    ("{{- with secret \"x\" -}}\n{{ end }}", &["with secret", "Go"]),
    ("{{ range .db.hosts }}x{{ end }}", &["range", "Go"]),
    ("{{ if .db.tls }}x{{ end }}", &["Go"]),
    ("{{ $x := .db.user }}", &["Go"]),
    ("{{ key \"path/x\" }}", &["`key`", "Go", "`sources`"]),
    ("{{ printf \"%s\" .db.user }}", &["printf", "Go", "`format`"]),
    ("{{ env \"HOME\" }}", &["`env`", "Go"]),
    ("{{ index .db \"a-key\" }}", &["Go"]),
    ("{{ .Values.host }}", &[".Values.host", "Go"]),
    ("{{ db.x | toJSON }}", &["column 11", "toJSON", "`json`"]),
    ("{{ db.x | b64enc }}", &["column 11", "b64enc", "b64encode"]),
    ("{{ db.x | base64Encode }}", &["base64Encode", "b64encode"]),
    ("{{ db.x | b64dec }}", &["b64dec", "b64decode"]),
    ("a\nb {{ db.x | uper }}", &["line 2, column 13", "uper", "did you mean upper?"]),
    ("{{ db.x | sha256sum }}", &["sha256sum", "sha256"]),
    ("{{ db.x | toYaml | nindent(2) }}", &["toYaml", "`yaml`", "nindent", "`indent`"]),
    ("{{ db.x | squote }}", &["squote", "`shell`"]),
    ("{{ db.x | quote }}", &["quote", "json"]),
    ("{{ db.x | trimSpace }}", &["trimSpace", "trim"]),
    ("{{ db.x | to_nice_json }}", &["to_nice_json", "indent=2"]),
    ("{{ db.x | parseJSON }}", &["parseJSON", "from_json"]),
    ("{{ db.x | urlquery }}", &["urlquery", "`url`"]),
    ("{{ db.x | frobnicate }}", &["frobnicate", "docs/templates.md"]),
    ("{% filter uppr %}x{% endfilter %}", &["uppr", "upper"]),
    ("{{ dbb.password }}", &["column 4", "dbb", "did you mean db?"]),
    ("{{ database.password }}", &["database", "there are db, ca, pod"]),
    ("{% for h in hosts %}{{ h }}{% endfor %}", &["hosts"]),
    ("{% if cas %}x{% endif %}", &["cas", "did you mean ca?"]),
    ("{{ lookup('x') }}", &["lookup", "function"]),
    ("{{ now() }}", &["now", "no clock"]),
    ("{{ getenv('X') }}", &["getenv", "environment"]),
    ("{{ rang(3) }}", &["rang", "did you mean range?"]),
    ("{{ db.x is defind }}", &["defind", "did you mean defined?"]),
    ("{{ db.x is nil }}", &["nil", "test"]),
    ("{{ db.user", &["line 1", "syntax error"]),
    ("x\n{{ db.user } }}", &["line 2", "syntax error"]),
    ("{% if db.x %}x", &["syntax error"]),
    ("{% end %}", &["syntax error"]),
    ("{{ db.user }} {% endif %}", &["syntax error"]),
    ("{% include 'x' %}", &["syntax error"]),
    ("{{ db user }}", &["syntax error"]),
    (
        "{{ db.a | b64enc }}\n{{ dbb.x }}\n{{ now() }}",
        &["line 1", "line 2", "line 3", "b64enc", "dbb", "now"],
    ),
    ("{{ db. }}\n{{ db.a | b64enc }}", &["line 1", "line 2, column 11", "b64enc"]),
];

#[test]
fn a_check_names_every_wrong_word_with_its_place_and_the_right_one() {
    let vague: Vec<_> = WRONG
        .iter()
        .map(|(text, words)| (text, checked(text), words))
        .filter(|(_, message, words)| !words.iter().all(|word| message.contains(word)))
        .map(|(text, message, words)| format!("{text}\n  {message}\n  {words:?}"))
        .collect();
    assert!(vague.is_empty(), "{}", vague.join("\n"));
}

#[test]
fn a_check_accepts_what_a_template_declares_or_guards_itself() {
    for text in [
        "{{ db.password }}{{ pod.name }}",
        "{% for a, b in db | items %}{{ a }}{{ b }}{{ loop.index }}{% endfor %}",
        "{% set x = 1 %}{{ x }}{% set ns = namespace(n=1) %}{% set ns.n = 2 %}{{ ns.n }}",
        "{% with y = db.a, z = ca %}{{ y }}{{ z }}{% endwith %}",
        "{{ other | default('x') }}{{ third.key | d('x') }}",
        "{% if fourth is defined %}{{ fourth }}{% endif %}{% if fifth is not defined %}x{% endif %}",
        "{{ db | dictsort(by='value', reverse=true) }}{{ 'a' if db.x is divisibleby(2) else 'b' }}",
        "{% raw %}{{ anything | goes }}{% endraw %}{# {{ this too }} #}",
        "{{ dict(a=1).a }}{{ range(3) | join }}{{ {'k': db.x}.k }}{{ [db.a, ca][0] }}",
        "{% filter upper | indent(2) %}a{% endfilter %}{{ db['a-b'] }}{{ db.list[0].x }}",
        "{{ db.name.upper }}{{ true and not false or none is none }}",
        "plain text, 5 {% if db %} {% elif ca %} {% else %} {% endif %}",
    ] {
        assert_eq!(checked(text), "", "{text}");
    }
}

#[test]
fn a_missing_key_is_named_with_the_nearest_and_no_value() {
    let values = json!({"db": {"password": CANARY, "hosts": [{"name": CANARY}], "a-key": CANARY}});
    let delimiters = Delimiters::default();
    for (text, words) in [
        ("x = {{ db.passwrod }}", &["column 8", "db.passwrod", "did you mean password?"][..]),
        ("\n{{ db.Password | upper }}", &["line 2, column 4", "db.Password", "did you mean password?"]),
        ("{{ db.hosts[0].nme }}", &["db.hosts[0].nme", "did you mean name?"]),
        ("{{ db.hosts[3] }}", &["db.hosts[3]", "default"]),
        ("{{ db['a-kye'] }}", &["a-kye", "did you mean a-key?"]),
        ("{{ db.password }}{{ db.user }}", &["column 21", "db.user", "default"]),
        ("{% if db.pasword == 'x' %}{% endif %}", &["db.pasword", "did you mean password?"]),
    ] {
        let sources = values.to_string();
        let task = Task { text, delimiters: delimiters.clone(), sources: sources.as_bytes() };
        let Err(faults) = render(&task, limits::OUTPUT) else { continue };
        let context =
            Context { text, delimiters: &delimiters, names: vec!["db"], values: values.as_object() };
        let message = context.mistake(&faults[0]).to_string();
        assert!(
            words.iter().all(|word| message.contains(word)) && !message.contains(CANARY),
            "{text}\n{message}"
        );
    }
}

#[test]
fn values_are_parsed_hashed_and_written_over_several_lines() {
    let sources = json!({"j": "{\"b\": [1, 1.50], \"a\": null}", "y": "a: yes\nb: [1, x]\n", "p": "pw", "bad": CANARY.to_owned() + ": ["});
    for (text, expected) in [
        ("{{ (j | from_json).b[1] }}", "1.50"),
        ("{{ (y | from_yaml).b | last }}", "x"),
        ("{{ 'md5' ~ ((p ~ 'user') | md5) }}", "md53d6b6c8f2b2f0e3fce3c8b0f3d5a1c5d"),
        ("{{ p | sha1 }}", "1f8ac10f23c5b5bc1167bda84b833e5c057a77d2"),
        ("{{ '' | sha256 }}", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("{{ '' | sha512 | length }}", "128"),
        ("{{ j | from_json | json(indent=2) }}", "{\n  \"a\": null,\n  \"b\": [\n    1,\n    1.50\n  ]\n}"),
        ("{{ 'a key:=' | properties_key }}", "a\\ key\\:\\="),
        ("{{ 'a b' | urlencode }}{{ 'x' | tojson }}", "a%20b\"x\""),
    ] {
        let written = rendered(text, &sources).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
        if text.contains("md5") {
            assert_eq!(written.len(), 35, "{written}");
        } else if !text.contains("sha1") {
            assert_eq!(written, expected, "{text}");
        } else {
            assert_eq!(written.len(), 40);
        }
    }
    assert_eq!(cause("{{ bad | from_json }}", &sources), Cause::NotJson);
    assert_eq!(cause("{{ bad | from_yaml }}", &sources), Cause::NotYaml);
}

#[test]
fn every_suggested_filter_and_test_exists() {
    for name in FILTERS {
        assert_ne!(
            rendered(&format!("{{{{ '' | {name} }}}}"), &json!({})).err().map(|fault| fault.cause),
            Some(Cause::UnknownFilter),
            "{name}"
        );
    }
}

proptest! {
    #[test]
    fn all_valid_delimiters_work_for_expressions_statements_and_comments(
        text in r"[!#-&(-*,./:-@\[\]^`{-~]{2,8} [!#-&(-*,./:-@\[\]^`{-~]{2,8}",
    ) {
        let Ok(delimiters) = text.parse::<Delimiters>() else { return Ok(()) };
        let (open, close) = (&delimiters.open, &delimiters.close);
        let ((begin, end), (hush, hushed)) = (delimiters.statement(), delimiters.comment());
        let text = format!("{hush} c {hushed}{begin} if true {end}{open} a {close}{begin} endif {end}");
        prop_assert_eq!(rendered_by(&delimiters, &text, &json!({"a": "x"})), Ok("x".to_owned()), "{:?}", delimiters);
    }

    #[test]
    fn a_value_is_written_unchanged_and_its_json_reads_back(text: String) {
        let sources = json!({"a": text});
        prop_assert_eq!(rendered("{{ a }}", &sources).unwrap(), &text[..]);
        let back: Value = serde_json::from_str(&rendered("{{ a | json }}", &sources).unwrap()).unwrap();
        prop_assert_eq!(back, json!(text));
        prop_assert_eq!(rendered("{{ a | b64encode | b64decode }}", &sources).unwrap(), &text[..]);
    }
}
