//! The result of each filter as the documentation shows it, and errors without values.

use std::fs;

use crate::template::{Cause, TemplateError};
use serde_json::{Value, json};

use super::{CANARY, answers, rendered};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/templates.md");

#[tokio::test]
async fn all_templates_of_a_mount_answer_in_their_order_and_one_that_fails_harms_no_other() {
    let answers =
        answers(&["{{ a }}", "\n{{ b }}", "", "{{ a | upper }}\n"], &json!({"a": "x"})).await.unwrap();
    let texts: Vec<_> =
        answers.iter().map(|answer| answer.as_ref().map(|text| text.expose_text().unwrap())).collect();
    let [Ok("x"), Err(TemplateError::Fails(mistakes)), Ok(""), Ok("X\n")] = &texts[..] else {
        panic!("{texts:?}")
    };
    assert_eq!((mistakes[0].line, mistakes[0].cause), (2, Cause::Undefined));
}

/// The rows `| ... | template | text |` of the documentation.
fn examples(document: &str) -> Vec<(String, String)> {
    let rows = document.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let cells = rows.map(|row| {
        row.replace(r"\|", "\u{1}").split(" | ").map(|cell| cell.replace('\u{1}', "|")).collect::<Vec<_>>()
    });
    let code = |cell: &String| Some(cell.strip_prefix('`')?.strip_suffix('`')?.to_owned());
    cells.filter_map(|cells| Some((code(cells.get(cells.len() - 2)?)?, code(cells.last()?)?))).collect()
}

/// The JSON with which the documentation renders its examples.
fn values(document: &str) -> Value {
    let (_, behind) = document.split_once("```json\n").unwrap();
    serde_json::from_str(behind.split_once("```").unwrap().0).unwrap()
}

#[tokio::test]
async fn every_example_of_the_documentation_gives_the_text_beside_it() {
    let document = fs::read_to_string(DOCUMENT).unwrap();
    let (examples, values) = (examples(&document), values(&document));
    assert!(examples.len() >= 50, "{} examples were found", examples.len());
    let templates: Vec<_> = examples.iter().map(|(template, _)| template.as_str()).collect();
    let answers = answers(&templates, &values).await.unwrap();
    let differing = examples.iter().zip(answers).filter_map(|((template, expected), answer)| {
        let text = answer
            .map(|text| text.expose_text().unwrap().replace('\n', "⏎"))
            .unwrap_or_else(|error| error.to_string());
        (text != *expected).then(|| format!("{template} gives {text}"))
    });
    assert_eq!(differing.collect::<Vec<_>>(), Vec::<String>::new());
}

#[tokio::test]
async fn every_filter_of_the_documentation_has_an_example() {
    let document = fs::read_to_string(DOCUMENT).unwrap();
    let examples: String = examples(&document).into_iter().map(|(template, _)| template + "\n").collect();
    let rows = document.lines().filter(|line| line.starts_with("| `"));
    for filter in rows.filter_map(|row| row.split('`').nth(1)) {
        assert!(examples.contains(&format!("| {filter}")), "{filter} has no example");
    }
}

#[tokio::test]
async fn two_processes_write_the_same_bytes() {
    let sources = json!({"m": {"z": 1, "a": {"y": 2, "b": 3}, "k": [1.5, null]}});
    let text = "{{ m | json }}{{ m | yaml }}{% for key in m %}{{ key }}{% endfor %}{% for pair in m | items %}{{ pair | first }}{% endfor %}";
    let first = rendered(text, &sources).await.unwrap();
    assert!(
        first.starts_with(r#"{"a":{"b":3,"y":2},"k":[1.5,null],"z":1}"#) && first.ends_with("akzakz"),
        "{first}"
    );
    for _ in 0..5 {
        assert_eq!(rendered(text, &sources).await.unwrap(), first);
    }
}

#[tokio::test]
async fn no_error_of_a_filter_shows_its_value() {
    let document = fs::read_to_string(DOCUMENT).unwrap();
    let names = document.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let sources = json!({"t": CANARY, "l": [CANARY, [CANARY]], "m": {CANARY: CANARY}, "n": null, "z": format!("{CANARY}\u{0}")});
    let uses: Vec<_> = names
        .flat_map(|filter| ["t", "l", "m", "n", "z"].map(|value| (filter, value)))
        .flat_map(|(filter, value)| {
            ["", "(t)", "(m)", "(t, l)", "(t, t, t)"]
                .map(|arguments| format!("{{{{ {value} | {filter}{arguments} }}}}"))
        })
        .chain(
            [
                "t + 1",
                "-t",
                "t()",
                "t.x.y",
                "m[l]",
                "t in 1",
                "l < m",
                "t | int",
                "t is divisibleby(t)",
                "range(t)",
            ]
            .map(|use_of| format!("{{{{ {use_of} }}}}")),
        )
        .collect();
    let uses: Vec<_> = uses.iter().map(String::as_str).collect();
    let answers = answers(&uses, &sources).await.unwrap();
    let errors: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
    assert!(errors.len() > 300, "{} of {} uses failed", errors.len(), uses.len());
    for error in errors {
        let text = format!("{error} {error:?} {error:#?}");
        assert!(!text.contains("c4n4ry"), "{text}");
    }
}
