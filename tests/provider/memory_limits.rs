//! Classes and secrets that would need too much time or memory: an error in time, within the memory limit, and the next mount works.
//!
//! Processor time is measured, because real time includes the server and tests that run in parallel.

use std::time::{Duration, Instant};

use crate::support::volume::Refusal;
use crate::support::*;

/// Limit for the processor time of one mount, in a build without optimisation.
const WORK: Duration = Duration::from_secs(2);

/// Limit for the real time of one mount on a busy machine: a sixth of the driver's timeout.
const IN_TIME: Duration = Duration::from_secs(20);

/// Limit for the peak memory of the process: the memory limit in `deploy/`.
const MEMORY_KIB: u64 = 128 * 1024;

/// Makes a mount that must fail in time.
async fn refused(provider: &Provider, class: Class) -> Refusal {
    let (begun, before) = (Instant::now(), provider.processor_time());
    let refusal = provider.refuses("team-a/web", class).await;
    let (took, worked) = (begun.elapsed(), provider.processor_time() - before);
    assert!(took < IN_TIME && worked < WORK, "{took:?}, {worked:?} of work: {}", refusal.text);
    refusal
}

/// Checks that the process never exceeded its memory limit, and that it still mounts.
async fn lives_within_its_memory(vault: &Vault, provider: &Provider) {
    vault.put("team-a/small", json!({ "password": canary("lives") })).await;
    let pod = provider.mount("team-a/web", kv("db", "team-a/small", "password")).await;
    assert_eq!(pod.read("db"), canary("lives"));
    let peak = provider.peak_memory();
    assert!(peak < MEMORY_KIB, "{peak} KiB");
}

#[tokio::test]
async fn a_class_that_grows_when_it_is_read_is_refused() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let level = |level: usize| format!("- &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(","));
    let bomb: String = (1..10).map(level).collect();
    let merges: String =
        (1..40).map(|level| format!("- &m{level} {{<<: [*m{0}, *m{0}]}}\n", level - 1)).collect();
    let args = format!(
        "- {{objectName: f, request: {{path: p, args: {{x: {}1{}}}}}}}",
        "[".repeat(5000),
        "]".repeat(5000)
    );
    for objects in [
        format!("- &a0 [x,x,x,x,x,x,x,x,x,x]\n{bomb}"),
        format!("- &m0 {{objectName: x, kv: {{mount: m, path: p}}}}\n{merges}"),
        args,
        "- ".repeat(30_000),
        "a: &a [*a]".into(),
    ] {
        refused(&provider, typed(&objects)).await.tells("spec.invalid", &[]);
    }
    assert_eq!(vault.calls(), [""; 0]);
    lives_within_its_memory(&vault, &provider).await;
}

#[tokio::test]
async fn a_class_of_a_hundred_thousand_objects_is_refused() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let files: String = (0..1100).map(|at| format!("{{objectName: f{at}}},")).collect();
    refused(&provider, typed(&"- {}\n".repeat(100_000))).await.tells("spec.invalid", &["attributes"]);
    refused(&provider, typed(&format!("[{}]", "{},".repeat(100_000))))
        .await
        .tells("spec.invalid", &["objects"]);
    refused(&provider, typed(&format!("- {{kv: {{mount: m, path: p}}, files: [{files}]}}")))
        .await
        .tells("spec.invalid", &["1024"]);
    assert_eq!(vault.calls(), [""; 0]);
    lives_within_its_memory(&vault, &provider).await;
}

#[tokio::test]
async fn a_secret_of_ten_megabytes_is_refused_for_every_kind_of_object() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let value = canary("large").repeat(10 * 1024 * 1024 / canary("large").len());
    vault.put("team-a/large", json!({ "value": value, "small": "x" })).await;
    for file in [
        "secretKey: small",
        "pointer: /value",
        "format: yaml",
        "format: properties",
        "optional: true",
        "default: x",
    ] {
        let class = typed(&format!("- {{objectName: f, kv: {{mount: secret, path: team-a/large}}, {file}}}"));
        refused(&provider, class)
            .await
            .tells("payload.too_large", &["object \"f\"", "team-a/large", "8 MiB"]);
    }
    lives_within_its_memory(&vault, &provider).await;
}

#[tokio::test]
async fn a_secret_that_grows_when_it_is_written_is_refused() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    // One byte becomes six in JSON and in properties.
    vault.put("team-a/grows", json!({ "value": "\u{1}".repeat(1024 * 1024) })).await;
    for format in ["json", "yaml", "toml", "properties"] {
        let class = typed(&format!(
            "- {{objectName: f, kv: {{mount: secret, path: team-a/grows}}, format: {format}}}"
        ));
        refused(&provider, class).await.tells("payload.too_large", &["split"]);
    }
    lives_within_its_memory(&vault, &provider).await;
}

#[tokio::test]
async fn many_files_of_one_large_secret_are_refused_before_all_are_rendered() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault
        .put("team-a/large", json!({ "value": canary("large").repeat(1024 * 1024 / canary("large").len()) }))
        .await;
    for file in ["secretKey: value", "format: properties", "from: response, format: yaml"] {
        let files: String = (0..250).map(|at| format!("{{objectName: f{at}, {file}}},")).collect();
        let class = typed(&format!("- {{kv: {{mount: secret, path: team-a/large}}, files: [{files}]}}"));
        refused(&provider, class).await.tells("payload.too_large", &["split"]);
    }
    lives_within_its_memory(&vault, &provider).await;
}

#[tokio::test]
async fn a_volume_of_almost_the_largest_size_is_opened_from_ciphertext() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.key("transit", "orders", json!({})).await;
    let text = canary("sealed").repeat(680 * 1024 / canary("sealed").len());
    for number in 0..5 {
        let sealed = vault.cipher("orders", &text, None).await;
        vault.put(&format!("team-a/sealed-{number}"), json!({ "value": sealed })).await;
    }
    let file = |number: usize| {
        let from = format!("{{kv: {{mount: secret, path: team-a/sealed-{number}}}, secretKey: value}}");
        format!("- {{objectName: f{number}, transit: {{key: orders, from: {from}}}}}\n")
    };
    let pod = provider.mount("team-a/web", typed(&(0..5).map(file).collect::<String>())).await;
    assert!((0..5).all(|number| pod.read(&format!("f{number}")) == text));
    lives_within_its_memory(&vault, &provider).await;
}

#[tokio::test]
async fn many_texts_with_markers_are_refused_before_all_are_rendered() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault
        .put("team-a/large", json!({ "value": canary("large").repeat(1024 * 1024 / canary("large").len()) }))
        .await;
    let text = |at: usize| {
        format!("s5: {{key: k{at}, from: {{kv: {{mount: secret, path: team-a/large}}, secretKey: value}}}}")
    };
    let files: String = (0..250).map(|at| format!("- {{objectName: f{at}, {}}}\n", text(at))).collect();
    let sources: String = (0..500).map(|at| format!("s{at}: {{{}}},", text(at))).collect();
    for objects in [files, format!("- {{objectName: f, template: x, sources: {{{sources}}}}}")] {
        refused(&provider, typed(&objects)).await.tells("payload.too_large", &["MiB together", "split"]);
    }
    lives_within_its_memory(&vault, &provider).await;
}

#[tokio::test]
async fn many_documents_that_cannot_be_written_cost_little() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let large = canary("large").repeat(6 * 1024 * 1024 / canary("large").len());
    vault.put("team-a/large", json!({ "value": large, "z": null, "A": "\u{0}" })).await;
    for file in ["format: toml", "format: env"] {
        let files: String = (0..250).map(|at| format!("{{objectName: f{at}, {file}}},")).collect();
        let class = typed(&format!("- {{kv: {{mount: secret, path: team-a/large}}, files: [{files}]}}"));
        refused(&provider, class).await.tells("render.failed", &["\"f0\""]);
    }
    lives_within_its_memory(&vault, &provider).await;
}

#[tokio::test]
async fn ten_thousand_keys_are_refused_as_files_and_fit_a_document() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let keys: serde_json::Map<_, _> = (0..10_000).map(|at| (format!("k{at}"), json!("v"))).collect();
    vault.put("team-a/many", keys.into()).await;
    let many = typed("- {directory: d, kv: {mount: secret, path: team-a/many}}");
    refused(&provider, many).await.tells("payload.too_large", &["more than 4096 files", "list the keys"]);
    let pointer = "/a".repeat(20_000);
    let long =
        typed(&format!("- {{objectName: f, kv: {{mount: secret, path: team-a/many}}, pointer: {pointer}}}"));
    refused(&provider, long).await.tells("vault.not_found", &["object \"f\""]);
    let document = typed("- {objectName: f, kv: {mount: secret, path: team-a/many}, format: env}");
    assert_eq!(provider.mount("team-a/web", document).await.read("f").lines().count(), 10_000);
    lives_within_its_memory(&vault, &provider).await;
}

#[tokio::test]
async fn twenty_thousand_markers_are_refused_and_a_repeated_one_is_sent_once() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.key("transit", "default", json!({})).await;
    let class =
        || typed("- {objectName: f, s5: {from: {kv: {mount: secret, path: team-a/text}, secretKey: text}}}");
    let markers: String = (0..20_000).map(|at| format!("{{{{ s5:{at:08} }}}}\n")).collect();
    vault.put("team-a/text", json!({ "text": markers })).await;
    refused(&provider, class())
        .await
        .tells("payload.too_large", &["object \"f\"", "20000 ciphertexts", "10000"]);
    let sealed = vault.cipher("default", canary("often"), None).await;
    vault.put("team-a/text", json!({ "text": format!("{{{{ s5:{sealed} }}}}\n").repeat(20_000) })).await;
    assert_eq!(provider.mount("team-a/web", class()).await.read("f").lines().count(), 20_000);
    let sealed = vault.cipher("default", canary("long").repeat(500), None).await;
    vault.put("team-a/text", json!({ "text": format!("{{{{ s5:{sealed} }}}}").repeat(400) })).await;
    refused(&provider, class())
        .await
        .tells("payload.too_large", &["object \"f\"", "with the values of its s5 markers is larger than"]);
    lives_within_its_memory(&vault, &provider).await;
}

/// A JSON tree needs far more memory than its text: eight pods with four secrets of numbers each.
#[tokio::test]
async fn secrets_of_many_small_values_count_with_the_memory_that_they_need() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let shapes =
        [json!(vec![1; 190_000]), json!(vec![json!([]); 120_000]), json!(vec![json!({ "a": 0 }); 40_000])];
    for (shape, value) in shapes.iter().enumerate() {
        for number in 0..4 {
            vault
                .put(&format!("team-a/many-{shape}-{number}"), json!({ "value": value, "small": "x" }))
                .await;
        }
        let file = |number| {
            format!(
                "- {{objectName: f{number}, kv: {{mount: secret, path: team-a/many-{shape}-{number}}}, secretKey: small}}\n"
            )
        };
        let class = typed(&(0..4).map(file).collect::<String>());
        let calls: Vec<_> = (0..8).map(|_| provider.call("team-a/web", class.clone())).collect();
        let ended = futures::future::join_all(calls.iter().map(|call| call.send())).await;
        for refusal in ended.into_iter().filter_map(Result::err) {
            let clean = ["overload", "payload.too_large", "vault.unreachable", "deadline"]
                .iter()
                .any(|reason| refusal.text.starts_with(reason));
            assert!(clean, "{refusal:?}");
        }
    }
    lives_within_its_memory(&vault, &provider).await;
}
