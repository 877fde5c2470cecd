//! Texts with s5 markers, in a class or in KV.

use crate::support::*;

/// A marker of `sealed` as the original tool writes it.
fn marker(sealed: &str) -> String {
    format!("{{{{ s5:{} }}}}", sealed.strip_prefix("vault:v1:").unwrap_or(sealed))
}

/// A class of one file `name` with `content`, opened by the key `default` of `transit`.
fn content(name: &str, content: &str) -> Class {
    object(json!({ "objectName": name, "s5": {}, "content": content }))
}

#[tokio::test]
async fn markers_of_a_text_become_their_values_and_nothing_else_changes() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.key("transit", "default", json!({})).await;
    let (one, two) = (
        marker(&vault.cipher("default", canary("one"), None).await),
        marker(&vault.cipher("default", "two", None).await),
    );
    let class = content(
        "app.yaml",
        &format!(
            "# {{{{ no marker }}}}\nuser: {one}\n{two}: [{one}, {{{{two}}}}, \"{two}{one}\"]\nlast: {one}"
        ),
    );
    let pod = provider.mount("team-a/web", class).await;
    let value = canary("one");
    assert_eq!(
        pod.read("app.yaml"),
        format!(
            "# {{{{ no marker }}}}\nuser: {value}\ntwo: [{value}, {{{{two}}}}, \"two{value}\"]\nlast: {value}"
        )
    );
    assert_eq!(vault.count("update transit/decrypt/default"), 1);
}

#[tokio::test]
async fn every_spelling_of_a_marker_is_read() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.key("transit", "default", json!({})).await;
    let first = vault.cipher("default", canary("first"), None).await;
    vault.write("transit/keys/default/rotate", json!({})).await;
    let second = vault.cipher("default", canary("second"), None).await;
    let bare = first.strip_prefix("vault:v1:").unwrap();
    let text = format!(
        "{{{{s5:{bare}}}}} {{{{ s5:{bare}}}}} {{{{s5:{bare} }}}} {{{{ s5:{first} }}}} {{{{ s5:{second} }}}}"
    );
    let pod = provider.mount("team-a/web", content("f", &text)).await;
    let (first, second) = (canary("first"), canary("second"));
    assert_eq!(pod.read("f"), format!("{first} {first} {first} {first} {second}"));
}

#[tokio::test]
async fn line_ends_and_a_missing_last_newline_stay_as_they_are() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.key("transit", "default", json!({})).await;
    let sealed = marker(&vault.cipher("default", canary("crlf"), None).await);
    let value = canary("crlf");
    for (written, wanted) in [
        (format!("a={sealed}\r\nb\r\n"), format!("a={value}\r\nb\r\n")),
        (format!("\u{feff}\n\n{sealed}"), format!("\u{feff}\n\n{value}")),
        (format!("\t{sealed}\t\u{0}"), format!("\t{value}\t\u{0}")),
    ] {
        vault.put("team-a/text", json!({ "text": written })).await;
        let class =
            typed("- {objectName: f, s5: {from: {kv: {mount: secret, path: team-a/text}, secretKey: text}}}");
        assert_eq!(provider.mount("team-a/web", class).await.read("f"), wanted);
    }
}

#[tokio::test]
async fn a_block_of_the_class_is_a_file_as_it_is_typed() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.key("transit", "default", json!({})).await;
    let sealed = marker(&vault.cipher("default", canary("block"), None).await);
    let class = format!(
        "- objectName: app.ini\n  s5: {{}}\n  content: |\n    [db]\n    password = {sealed}\n\n    # end\n"
    );
    let pod = provider.mount("team-a/web", typed(&class)).await;
    assert_eq!(pod.read("app.ini"), format!("[db]\npassword = {}\n\n# end\n", canary("block")));
}

#[tokio::test]
async fn any_mount_and_key_may_be_named_and_texts_may_lie_in_kv() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.key("eu/transit", "team-a", json!({})).await;
    let sealed = marker(&vault.cipher("eu/transit/team-a", canary("eu"), None).await);
    vault.put("team-a/app", json!({ "files": { "conf": format!("password={sealed}\n") } })).await;
    let class = typed(
        "- {objectName: conf, s5: {mount: eu/transit, key: team-a, from: {kv: {mount: secret, path: team-a/app}, pointer: /files/conf}}}",
    );
    assert_eq!(
        provider.mount("team-a/web", class).await.read("conf"),
        format!("password={}\n", canary("eu"))
    );
    assert_eq!(vault.count("update eu/transit/decrypt/team-a"), 1);
}

#[tokio::test]
async fn a_text_without_markers_makes_no_call_to_transit() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let text = "nothing {{ s5:not base64! }} {{ s5 }}";
    assert_eq!(provider.mount("team-a/web", content("f", text)).await.read("f"), text);
    assert_eq!(vault.calls().iter().filter(|call| call.contains("transit")).count(), 0);
}

#[tokio::test]
async fn a_marker_that_cannot_be_opened_is_named_by_its_line_and_object() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    for key in ["default", "others"] {
        vault.key("transit", key, json!({})).await;
    }
    let (good, foreign) = (
        marker(&vault.cipher("default", "x", None).await),
        marker(&vault.cipher("others", canary("x"), None).await),
    );
    let class =
        content("bad", &format!("{good}\n\n  key: {good} {foreign}\n{good}")).and(content("fine", &good));
    let refusal = provider.refuses("team-a/web", class).await;
    refusal.tells("render.failed", &["object \"bad\"", "line 3", "another key", "transit/decrypt/default"]);
    assert!(!refusal.text.contains("fine"), "{}", refusal.text);
    for text in [
        "{{ s5: }}",
        "{{ s5:AAAA }}",
        "{{s5:====}}",
        "{{ s5:vault:v7:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA }}",
    ] {
        let refusal = provider.refuses("team-a/web", content("bad", &format!("{good}\n{text}"))).await;
        refusal.tells("render.failed", &["object \"bad\"", "line 2"]);
    }
}

/// A decrypted value is not searched for markers again.
#[tokio::test]
async fn a_value_that_looks_like_a_marker_is_left_alone() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.key("transit", "default", json!({})).await;
    let inner = marker(&vault.cipher("default", canary("inner"), None).await);
    let outer = marker(&vault.cipher("default", &inner, None).await);
    assert_eq!(provider.mount("team-a/web", content("f", &outer)).await.read("f"), inner);
    assert_eq!(vault.count("update transit/decrypt/default"), 1);
}
