//! Tests of the engine alone, in this process: what templates mean. `tests/library/templates/` tests their limits.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const CANARY: &str = "c4n4ry-of-a-secret";

fn rendered_by(delimiters: &Delimiters, text: &str, sources: &Value) -> Result<String, Fault> {
    let sources = sources.to_string();
    let task = Task { text, delimiters: delimiters.clone(), sources: Some(sources.as_bytes()) };
    render(&task, limits::OUTPUT).map(|text| text.expose_text().unwrap().to_owned())
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
        let task = Task { text, delimiters: Delimiters::default(), sources: Some(task.as_bytes()) };
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
        sources: Some(b"{}"),
    };
    assert_eq!(render(&task, 10).unwrap().len(), 10);
    assert_eq!(render(&task, 9).unwrap_err().cause, Cause::TooLong);
}

#[test]
fn a_check_needs_no_values_and_finds_every_syntax_error() {
    let check = |text| render(&Task { text, delimiters: Delimiters::default(), sources: None }, 0);
    assert!(check("{{ db.password }}").unwrap().is_empty());
    assert_eq!(check("a\n{{ db.").unwrap_err(), Fault { line: 2, cause: Cause::Syntax });
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
