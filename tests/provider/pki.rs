//! Certificates: all files are of one issue and for the requested names.

use serde_json::Value;

use crate::support::pki::{certificate, certificate_text, certified_key, issued, openssl, public_key};
use crate::support::*;

const PEM_PARTS: [&str; 8] =
    ["certificate", "certificateChain", "chain", "fullChain", "ca", "issuingCa", "privateKey", "bundle"];

fn web() -> Value {
    json!({ "commonName": "web.example.com" })
}

#[tokio::test]
async fn one_issue_gives_all_files_and_openssl_trusts_them() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.authorities().await;
    let pod = provider.mount("team-a/web", certificate(web(), &PEM_PARTS)).await;
    assert_eq!(vault.count("update pki/issue/web"), 1);
    let (leaf, issuing, root) =
        (pod.read("certificate"), vault.authority("pki").await, vault.authority("root").await);
    assert_eq!((pod.read("issuingCa"), pod.read("ca")), (issuing.clone(), root.clone()));
    assert_eq!(
        (pod.read("chain"), pod.read("certificateChain")),
        (format!("{issuing}{root}"), format!("{leaf}{issuing}"))
    );
    assert_eq!(pod.read("fullChain"), format!("{leaf}{issuing}{root}"));
    assert_eq!(pod.read("bundle"), format!("{leaf}{issuing}{}", pod.read("privateKey")));
    assert_eq!(public_key(&pod.read("privateKey")), certified_key(&leaf));
    let home = provider.home();
    let file = |name: &str| {
        std::fs::write(home.join(name), pod.bytes(name)).unwrap();
        home.join(name).display().to_string()
    };
    let (ca, sent) = (file("ca"), file("certificateChain"));
    openssl(
        &[
            "verify",
            "-x509_strict",
            "-verify_hostname",
            "web.example.com",
            "-CAfile",
            &ca,
            "-untrusted",
            &sent,
            &sent,
        ],
        "",
    );
}

#[tokio::test]
async fn a_ca_that_does_not_know_its_root_is_itself_what_clients_trust() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.root_authority("root").await;
    vault.intermediate("pki").await;
    let pod = provider.mount("team-a/web", certificate(web(), &PEM_PARTS)).await;
    let (leaf, issuing) = (pod.read("certificate"), vault.authority("pki").await);
    assert_eq!(
        [pod.read("ca"), pod.read("issuingCa"), pod.read("chain")],
        [issuing.clone(), issuing.clone(), issuing.clone()]
    );
    assert_eq!(
        [pod.read("certificateChain"), pod.read("fullChain")],
        [format!("{leaf}{issuing}"), format!("{leaf}{issuing}")]
    );
}

#[tokio::test]
async fn a_root_that_issues_is_never_sent_beside_its_certificate() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.root_authority("pki").await;
    let pod = provider.mount("team-a/web", certificate(web(), &PEM_PARTS)).await;
    let (leaf, root) = (pod.read("certificate"), vault.authority("pki").await);
    assert_eq!(
        [pod.read("ca"), pod.read("issuingCa"), pod.read("chain")],
        [root.clone(), root.clone(), root.clone()]
    );
    assert_eq!(
        [pod.read("certificateChain"), pod.read("fullChain")],
        [leaf.clone(), format!("{leaf}{root}")]
    );
}

/// The driver cuts `tls.crt` and `tls.key` of a synced `kubernetes.io/tls` Secret from one file: the certificates, and the one key.
#[tokio::test]
async fn a_bundle_has_its_certificates_first_and_exactly_one_key_at_its_end() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.authorities().await;
    vault.certificates("pki", "rsa", json!({ "key_type": "rsa" })).await;
    for (role, form, label) in [
        ("web", "pkcs8", "PRIVATE KEY"),
        ("web", "sec1", "EC PRIVATE KEY"),
        ("rsa", "pkcs1", "RSA PRIVATE KEY"),
        ("rsa", "pkcs8", "PRIVATE KEY"),
    ] {
        let files = json!([
            { "objectName": "tls.pem", "part": "bundle", "keyFormat": form },
            { "objectName": "tls.key", "part": "privateKey", "keyFormat": form },
        ]);
        let pod = provider
            .mount("team-a/web", issued(json!({ "role": role, "commonName": "web.example.com" }), &files))
            .await;
        assert_eq!(pod.labels("tls.pem"), ["CERTIFICATE", "CERTIFICATE", label]);
        assert_eq!(pod.labels("tls.key"), [label]);
        assert_eq!(public_key(&pod.read("tls.pem")), certified_key(&pod.read("tls.pem")), "{role} {form}");
        assert!(pod.read("tls.pem").ends_with(&pod.read("tls.key")));
    }
}

#[tokio::test]
async fn names_of_all_kinds_and_the_requested_lifetime_are_in_the_certificate() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.authorities().await;
    let ask = json!({
        "commonName": "web.example.com", "altNames": ["a.example.com", "b.example.com"], "ipSans": ["10.0.0.7", "fd00::7"],
        "uriSans": ["spiffe://example.com/ns/team-a/sa/web"], "ttl": "90m",
    });
    let pod = provider.mount("team-a/web", certificate(ask, &["certificate"])).await;
    let text = certificate_text(&pod.read("certificate"));
    for name in [
        "CN=web.example.com",
        "DNS:web.example.com",
        "DNS:a.example.com",
        "DNS:b.example.com",
        "IP Address:10.0.0.7",
    ] {
        assert!(text.contains(name), "{name} in {text}");
    }
    assert!(
        text.contains("IP Address:FD00:0:0:0:0:0:0:7")
            && text.contains("URI:spiffe://example.com/ns/team-a/sa/web"),
        "{text}"
    );
    assert!(lives(&pod.read("certificate"), 80 * 60) && !lives(&pod.read("certificate"), 91 * 60));
}

/// The serial number of a certificate, as the engine writes it: `1a:2b:..`.
fn serial(certificate: &str) -> String {
    let digits = openssl(&["x509", "-noout", "-serial"], certificate)
        .trim()
        .trim_start_matches("serial=")
        .to_lowercase();
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| String::from_utf8_lossy(pair).into_owned())
        .collect::<Vec<_>>()
        .join(":")
}

#[tokio::test]
async fn fields_of_the_response_can_be_mounted_without_another_issue() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.authorities().await;
    let files = json!([
        { "objectName": "tls.crt", "part": "certificate" }, { "objectName": "serial", "secretKey": "serial_number" },
        { "objectName": "issuer", "pointer": "/ca_chain/0" }, { "objectName": "again", "pointer": "/data/serial_number", "from": "response" },
        { "objectName": "none", "secretKey": "none", "optional": true },
    ]);
    let pod = provider.mount("team-a/web", issued(web(), &files)).await;
    assert_eq!(pod.names(), ["again", "issuer", "serial", "tls.crt"]);
    assert_eq!(
        [pod.read("serial"), pod.read("again")],
        [serial(&pod.read("tls.crt")), serial(&pod.read("tls.crt"))]
    );
    assert_eq!(pod.read("issuer") + "\n", vault.authority("pki").await);
    assert_eq!(vault.count("update pki/issue/web"), 1);
}

#[tokio::test]
async fn names_that_the_server_writes_in_another_form_count_as_the_requested_ones() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.authorities().await;
    vault.certificates("pki", "free", json!({ "require_cn": false, "allow_bare_domains": true })).await;
    for key in ["vault", "node"] {
        let names = json!({ "altNames": "WWW.example.com, *.example.com,ops@example.com,b\u{fc}cher.example.com", "ipSans": ["::ffff:10.0.0.7"] });
        let only_uri = json!({ "uriSans": ["spiffe://example.com/ns/team-a/sa/web"] });
        for (mut ask, wanted) in [
            (names, "DNS:xn--bcher-kva.example.com"),
            (only_uri, "URI:spiffe://example.com/ns/team-a/sa/web"),
        ] {
            (ask["role"], ask["privateKey"]) = (json!("free"), json!(key));
            let pod = provider.mount("team-a/web", certificate(ask, &["certificate"])).await;
            let text = certificate_text(&pod.read("certificate"));
            assert!(text.contains(wanted), "{key}: {text}");
        }
    }
}

#[tokio::test]
async fn a_lifetime_over_the_roles_maximum_becomes_the_maximum() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.root_authority("pki").await;
    let ask = json!({ "commonName": "web.example.com", "ttl": "100h" });
    let pod = provider.mount("team-a/web", certificate(ask, &["certificate"])).await;
    assert!(lives(&pod.read("certificate"), 71 * 3600) && !lives(&pod.read("certificate"), 73 * 3600));
}

/// Whether the certificate is still valid after that many seconds.
fn lives(certificate: &str, seconds: u32) -> bool {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("tls.crt");
    std::fs::write(&file, certificate).unwrap();
    let seconds = seconds.to_string();
    let mut check = std::process::Command::new("openssl");
    check.args(["x509", "-noout", "-checkend", &seconds, "-in"]).arg(file).output().unwrap().status.success()
}

#[tokio::test]
async fn a_pods_own_names_are_those_from_the_kubelet() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.authorities().await;
    let ask = json!({
        "commonName": "${POD_NAME}.example.com", "altNames": ["${POD_UID}.${POD_NAMESPACE}.example.com"],
        "uriSans": "spiffe://example.com/ns/${POD_NAMESPACE}/sa/${SERVICE_ACCOUNT_NAME}",
    });
    let class = certificate(ask, &["certificate"]).with("POD_NAME", "another").with("pod.name", "another");
    let pod = provider.mount("team-a/web", class).await;
    let text = certificate_text(&pod.read("certificate"));
    for name in [
        "CN=web-7d4b9c-",
        "DNS:6f1f7a51-3f0b-4a38-9f5d-",
        ".team-a.example.com",
        "URI:spiffe://example.com/ns/team-a/sa/web",
    ] {
        assert!(text.contains(name), "{name} in {text}");
    }
    let unknown = certificate(json!({ "commonName": "${HOSTNAME}.example.com" }), &["certificate"]);
    provider.refuses("team-a/web", unknown).await.tells("spec.invalid", &["commonName", "POD_NAME"]);
}

#[tokio::test]
async fn a_source_may_be_issued_in_a_namespace_of_its_own() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.root_authority("pki").await;
    vault.write("sys/namespaces/team", json!({})).await;
    vault.enable_in("team", "pki", "pki", json!({})).await;
    vault
        .write_in(
            "team",
            "pki/root/generate/internal",
            json!({ "common_name": "Team Root", "key_type": "ec" }),
        )
        .await;
    vault
        .write_in("team", "pki/roles/web", json!({ "allow_any_name": true, "key_type": "ec", "ttl": "1h" }))
        .await;
    vault.allow("team/pki/issue/web", &["update"]).await;
    let pod =
        provider.mount("team-a/web", certificate(web(), &["ca"]).each("vaultNamespace", "/team/")).await;
    assert!(certificate_text(&pod.read("ca")).contains("CN=Team Root"));
}

#[tokio::test]
async fn a_common_name_can_be_kept_out_of_the_sans_and_a_subject_can_have_more() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.root_authority("pki").await;
    let rare = json!({
        "allowed_other_sans": ["1.3.6.1.4.1.311.20.2.3;UTF8:*"], "allowed_serial_numbers": ["*"], "allowed_user_ids": ["*"], "not_before_duration": "30s",
    });
    vault.certificates("pki", "rare", rare).await;
    for key in ["vault", "node"] {
        let ask = json!({
            "role": "rare", "commonName": "web.example.com", "altNames": ["www.example.com"], "excludeCnFromSans": true, "serialNumber": "device-7",
            "otherSans": ["1.3.6.1.4.1.311.20.2.3;UTF8:${POD_NAME}@example.com"], "userIds": ["${SERVICE_ACCOUNT_NAME}"], "privateKey": key,
        });
        let pod = provider.mount("team-a/web", certificate(ask, &["certificate"])).await;
        let text = certificate_text(&pod.read("certificate"));
        assert!(text.contains("CN=web.example.com") && text.contains("DNS:www.example.com"), "{text}");
        assert!(!text.contains("DNS:web.example.com"), "{text}");
        assert!(
            text.contains("device-7") && text.contains("UID=web") && text.contains("othername"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_class_can_choose_the_end_the_issuer_and_the_type_of_the_key() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.authorities().await;
    let end = openssl_date("+36 hours");
    let ask = json!({ "commonName": "web.example.com", "notAfter": end });
    let pod = provider.mount("team-a/web", certificate(ask, &["certificate"])).await;
    assert!(lives(&pod.read("certificate"), 35 * 3600) && !lives(&pod.read("certificate"), 37 * 3600));
    let other = vault
        .write(
            "pki/root/generate/internal",
            json!({ "common_name": "Other", "issuer_name": "other", "key_type": "ec" }),
        )
        .await;
    for (call, key) in [("issue", "vault"), ("sign", "node")] {
        vault.allow(&format!("pki/issuer/other/{call}/web"), &["update"]).await;
        let ask = json!({ "commonName": "web.example.com", "issuer": "other", "privateKey": key, "keyType": "ec-p256" });
        let pod = provider.mount("team-a/web", certificate(ask, &["issuingCa", "certificate"])).await;
        assert_eq!(pod.read("issuingCa").trim(), other["data"]["certificate"].as_str().unwrap().trim());
        assert!(certificate_text(&pod.read("certificate")).contains("ASN1 OID: prime256v1"));
    }
    let wrong =
        certificate(json!({ "commonName": "web.example.com", "keyType": "rsa-2048" }), &["certificate"]);
    provider.refuses("team-a/web", wrong).await.tells("vault.rejected", &["object \"certificate\"", "key"]);
}

/// The time in that distance from now, in UTC.
fn openssl_date(distance: &str) -> String {
    crate::support::tools::tool("date", &["-u", "-d", distance, "+%Y-%m-%dT%H:%M:%SZ"], b"").trim().to_owned()
}
