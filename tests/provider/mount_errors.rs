//! The message that a pod's author reads when a secret cannot be mounted.

use crate::support::pki::certificate;
use crate::support::volume::Refusal;
use crate::support::*;

/// Advice that is the right one when the cause is not known, and that must not stand beside a better one.
const GENERAL: [&str; 5] = [
    "check path, version and key",
    "allow the path in a policy",
    "bind the service account",
    "check the mount and the namespace",
    "check method, path",
];

fn has_only_its_own_advice(refusal: &Refusal) {
    for general in GENERAL {
        assert!(!refusal.text.contains(general), "{general:?} in {}", refusal.text);
    }
}

#[tokio::test]
async fn a_refusal_by_a_policy_shows_the_rule_that_is_missing() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let request = |path: &str, method: &str| {
        object(json!({ "objectName": "x", "secretPath": path, "method": method, "secretKey": "x" }))
    };
    for (class, rule) in [
        (kv("x", "team-b/db", "x"), r#"path "secret/data/team-b/db" { capabilities = ["read"] }"#),
        (request("database/creds/app", "GET"), r#"path "database/creds/app" { capabilities = ["read"] }"#),
        (request("pki/issue/web", "PUT"), r#"path "pki/issue/web" { capabilities = ["update"] }"#),
    ] {
        let refusal = provider.refuses("team-a/web", class).await;
        has_only_its_own_advice(refusal.tells("vault.read_denied", &[rule, "policy"]));
    }
}

#[tokio::test]
async fn a_hint_takes_the_place_of_the_general_advice() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("present") })).await;
    let unversioned =
        object(json!({ "objectName": "db", "secretPath": "secret/team-a/db", "secretKey": "password" }));
    let denied = provider.refuses("team-a/web", unversioned.clone()).await;
    has_only_its_own_advice(denied.tells("vault.read_denied", &["use secret/data/team-a/db"]));
    vault.allow("secret/*", &["read"]).await;
    let absent = provider.refuses("team-a/web", unversioned).await;
    has_only_its_own_advice(absent.tells("vault.not_found", &["use secret/data/team-a/db"]));
    let key = provider.refuses("team-a/web", kv("db", "team-a/db", "Password")).await;
    has_only_its_own_advice(key.tells("vault.not_found", &["did you mean \"password\"?"]));
    let unknown = provider.refuses("team-a/web", kv("db", "team-a/db", "nothing")).await;
    unknown.tells("vault.not_found", &["check path, version and key"]);
    let both = kv("db", "team-a/db", "Password").and(kv("other", "team-a/db", "nothing"));
    let both = provider.refuses("team-a/web", both).await;
    both.tells("vault.not_found", &["did you mean \"password\"?", "check path, version and key"]);
}

#[tokio::test]
async fn a_long_list_of_objects_leaves_room_for_the_server() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let denied =
        (1..=12).map(|number| kv(&format!("file-{number:02}"), &format!("team-b/none-{number:02}"), "x"));
    let class = denied.reduce(Class::and).unwrap();
    let refusal = provider.refuses("team-a/web", class).await;
    refusal.tells("vault.read_denied", &["file-01", "; and 4 more (role \"web\"", &vault.address()]);
}

/// One row per refusal of the PKI engine: the request, the sent name that is shown, and what to change.
#[tokio::test]
async fn a_refusal_by_the_pki_engine_names_what_was_refused_and_what_to_change() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.authorities().await;
    for (role, changes) in [
        ("strict", json!({ "allow_ip_sans": false, "allowed_uri_sans": [] })),
        ("long", json!({ "max_ttl": "9000h" })),
        ("rsa", json!({ "key_type": "rsa" })),
        ("large", json!({ "key_bits": 384 })),
        ("any", json!({ "key_type": "any" })),
    ] {
        vault.certificates("pki", role, changes).await;
    }
    vault.allow("pki/issue/absent", &["update"]).await;
    let node = json!({ "privateKey": "node" });
    for (role, changes, parts) in [
        ("strict", json!({ "ipSans": ["10.0.0.7"] }), &["ipSans", "allow_ip_sans"][..]),
        ("strict", json!({ "uriSans": ["spiffe://a/b"] }), &["uriSans", "allowed_uri_sans"]),
        ("web", json!({ "commonName": "web.other.org" }), &["\"web.other.org\" is refused", "commonName"]),
        (
            "web",
            json!({ "altNames": ["a.example.com", "b.other.org"] }),
            &["\"b.other.org\" is refused", "altNames"],
        ),
        ("web", json!({ "altNames": ["me@other.org"] }), &["\"me@other.org\" is refused", "mail"]),
        ("web", json!({ "commonName": "", "altNames": ["web.example.com"] }), &["commonName", "require_cn"]),
        ("long", json!({ "ttl": "9000h" }), &["shorter ttl", "CA"]),
        ("rsa", node.clone(), &["keyType", "key_type"]),
        ("large", node, &["keyType", "key_bits"]),
        ("any", json!({}), &["privateKey: node"]),
        ("absent", json!({}), &["no role"]),
    ] {
        let mut ask = json!({ "role": role, "commonName": "web.example.com" });
        ask.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let refusal = provider.refuses("team-a/web", certificate(ask, &["certificate"])).await;
        has_only_its_own_advice(refusal.tells("vault.rejected", parts));
    }
}

/// The same for requests with arguments of their own, which may hold secrets.
#[tokio::test]
async fn a_refusal_of_arguments_names_what_was_refused_and_what_to_change() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.authorities().await;
    vault.ssh_authority().await;
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJO3eb3C1OpVMMUZ/6EMIMBtr4Wmih+3FOBeTM/JlV4b";
    let (pki, ssh) = ("pki/issue/web", "ssh-ca/sign/web");
    for (path, arguments, parts) in [
        (pki, json!({ "ttl": "abc" }), &["such as 24h"][..]),
        (
            pki,
            json!({ "other_sans": "1.3.6.1.4.1.311.20.2.3;UTF8:a" }),
            &["other_sans", "allowed_other_sans"],
        ),
        (pki, json!({ "ip_sans": "host.example.com" }), &["\"host.example.com\" is refused", "not names"]),
        (ssh, json!({ "valid_principals": "root" }), &["\"root\" is refused", "allowed_users"]),
        (ssh, json!({ "ttl": "999999h" }), &["shorter ttl", "max_ttl"]),
        (ssh, json!({ "cert_type": "host" }), &["cert_type", "allow_host_certificates"]),
        (ssh, json!({ "key_id": "mine" }), &["key_id", "allow_user_key_ids"]),
        (ssh, json!({ "public_key": canary("no-key") }), &["public_key", "SSH public key"]),
    ] {
        let mut all = if path == pki {
            json!({ "common_name": "web.example.com" })
        } else {
            json!({ "public_key": key, "valid_principals": "deploy" })
        };
        all.as_object_mut().unwrap().extend(arguments.as_object().unwrap().clone());
        let class =
            object(json!({ "objectName": "x", "secretPath": path, "method": "PUT", "secretArgs": all }));
        let refusal = provider.refuses("team-a/web", class).await;
        has_only_its_own_advice(refusal.tells("vault.rejected", parts));
        assert!(!refusal.text.contains(&canary("no-key")), "{}", refusal.text);
    }
}

/// One row per mistake: the class, the reason, what the text must name besides the common parts, and the code.
#[tokio::test]
async fn a_refusal_names_object_path_role_mount_server_and_remedy() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("present"), "null": null })).await;
    vault.allow("secret/nowhere/*", &["read"]).await;
    for (class, reason, code, parts) in [
        (
            kv("db", "team-a/nothing", "password"),
            "vault.not_found",
            Code::NotFound,
            &["secret/data/team-a/nothing"][..],
        ),
        (
            kv("db", "team-a/db", "passwrod"),
            "vault.not_found",
            Code::NotFound,
            &["secret/data/team-a/db", "\"passwrod\""],
        ),
        (
            kv("db", "team-a/db", "null"),
            "vault.not_found",
            Code::NotFound,
            &["secret/data/team-a/db", "\"null\""],
        ),
        (
            kv("db", "team-b/db", "password"),
            "vault.read_denied",
            Code::PermissionDenied,
            &["secret/data/team-b/db", "403", "policy"],
        ),
        (
            kv("db", "team-a/db", "password").each("method", "PUT"),
            "vault.read_denied",
            Code::PermissionDenied,
            &["secret/data/team-a/db"],
        ),
    ] {
        let refusal = provider.refuses("team-a/web", class.clone()).await;
        refusal
            .tells(reason, &["object \"db\"", "role \"web\"", "auth mount \"kubernetes\"", &vault.address()])
            .tells(reason, parts);
        assert_eq!(refusal.code, code);
        assert_eq!(provider.refuses("team-a/web", class).await, refusal, "a new text is a new event");
    }
}

#[tokio::test]
async fn a_deleted_version_is_not_found() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("deleted") })).await;
    let pod = provider.mount("team-a/web", kv("db", "team-a/db", "password")).await;
    vault.call(reqwest::Method::DELETE, "", "secret/data/team-a/db", &json!({})).await;
    pod.remount_fails().await.tells("vault.not_found", &["secret/data/team-a/db"]);
}

#[tokio::test]
async fn the_error_for_a_path_without_data_shows_the_right_path() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/devops", json!({ "password": canary("hint") })).await;
    let class =
        |path: &str| object(json!({ "objectName": "db", "secretPath": path, "secretKey": "password" }));
    let denied = provider.refuses("team-a/web", class("secret/team-a/devops")).await;
    denied.tells("vault.read_denied", &["secret/data/team-a/devops"]);
    vault.allow("secret/*", &["read"]).await;
    let absent = provider.refuses("team-a/web", class("/v1/secret/team-a/devops")).await;
    absent.tells("vault.not_found", &["secret/data/team-a/devops"]);
    let looked_up = vault.calls().into_iter().filter(|call| call.contains("sys/internal/ui/mounts")).count();
    assert_eq!(looked_up, 1, "a mount is looked up once");
    vault.enable("old", "kv", json!({ "version": "1" })).await;
    vault.allow("old/*", &["read"]).await;
    let old = provider.refuses("team-a/web", class("old/devops")).await;
    assert!(!old.tells("vault.not_found", &["old/devops"]).text.contains("old/data"), "{}", old.text);
}

#[tokio::test]
async fn all_failing_objects_are_reported_at_once_and_the_ninth_is_counted() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("present") })).await;
    let failing = (1..=12)
        .map(|number| kv(&format!("file-{number:02}"), &format!("team-a/none-{number:02}"), "password"));
    let class = failing.fold(kv("present", "team-a/db", "password"), Class::and);
    let refusal = provider.refuses("team-a/web", class).await;
    let names: Vec<_> = (1..=8).map(|number| format!("\"file-{number:02}\"")).collect();
    refusal
        .tells("vault.not_found", &names.iter().map(String::as_str).collect::<Vec<_>>())
        .tells("vault.not_found", &["4 more"]);
    for absent in ["file-09", "file-12", "\"present\""] {
        assert!(!refusal.text.contains(absent), "{}", refusal.text);
    }
}

#[tokio::test]
async fn a_call_that_the_engine_does_not_take_is_rejected() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.enable("transit", "transit", json!({})).await;
    vault.write("transit/keys/orders", json!({})).await;
    vault.allow("transit/*", &["read", "update"]).await;
    let sealed = json!({ "ciphertext": canary("not-a-ciphertext") });
    let class = json!({ "objectName": "token", "secretPath": "transit/decrypt/orders", "method": "PUT", "secretArgs": sealed, "secretKey": "plaintext" });
    let refusal = provider.refuses("team-a/web", object(class)).await;
    refusal.tells("vault.rejected", &["object \"token\"", "transit/decrypt/orders", "400"]);
}

#[tokio::test]
async fn an_answer_without_content_is_an_error_and_not_a_crash() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("lives") })).await;
    for key in ["", "password"] {
        let class = object(
            json!({ "objectName": "x", "secretPath": "auth/token/revoke-self", "method": "PUT", "secretKey": key }),
        );
        provider
            .refuses("team-a/web", class)
            .await
            .tells("vault.malformed", &["object \"x\"", "auth/token/revoke-self"]);
    }
    provider.mount("team-a/web", kv("db", "team-a/db", "password")).await;
}

#[tokio::test]
async fn files_that_are_too_large_together_are_refused_with_the_limit() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let half = canary("half").repeat(2 * 1024 * 1024 / canary("half").len());
    vault.put("team-a/large", json!({ "half": half })).await;
    let one = kv("one", "team-a/large", "half");
    assert_eq!(provider.mount("team-a/web", one.clone()).await.read("one"), half);
    let refusal = provider.refuses("team-a/web", one.and(kv("two", "team-a/large", "half"))).await;
    refusal.tells("payload.too_large", &["object \"two\"", "3670016", "split"]);
}
