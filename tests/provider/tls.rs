//! Servers that the provider trusts, and servers to which it sends its client certificate.

use std::fs;
use std::path::Path;

use crate::support::provider_setup::Setup;
use crate::support::tls::{Authority, SelfSigned, text};
use crate::support::*;

/// Every way to name the CA and the server; the server's certificate is for `vault.example` and `127.0.0.1` or only the first.
#[tokio::test]
async fn a_server_is_trusted_by_ca_file_ca_directory_and_name() {
    let ca = Authority::new("servers");
    let (named, plain) = (
        Vault::listening(&ca.listener(&["vault.example"])).await,
        Vault::listening(&ca.listener(&["127.0.0.1"])).await,
    );
    let (file, directory) = (text(&ca.file()), text(&ca.directory()));
    let class = || kv("db", "team-a/db", "password");
    let of = |vault: &Vault| Provider::of(vault);
    for vault in [&named, &plain] {
        vault.put("team-a/db", json!({ "password": canary("tls") })).await;
    }
    let rows: Vec<(&str, Setup, Class)> = vec![
        ("flag: file", of(&plain).flag(format!("--vault-tls-ca-cert={file}")), class()),
        ("flag: directory", of(&plain).flag(format!("--openbao-tls-ca-directory={directory}")), class()),
        ("environment: file", of(&plain).env("VAULT_CACERT", &*file), class()),
        ("environment: directory", of(&plain).env("BAO_CAPATH", &*directory), class()),
        ("environment: text", of(&plain).env("VAULT_CACERT_BYTES", ca.pem()), class()),
        ("class: file", of(&plain), class().with("vaultCACertPath", &*file)),
        ("class: directory", of(&plain), class().with("vaultCADirectory", &*directory)),
        ("class: no check", of(&plain), class().with("vaultSkipTLSVerify", "true")),
        (
            "flag: no check",
            of(&plain).flag("-vault-tls-skip-verify"),
            class().with("vaultSkipTLSVerify", "false"),
        ),
        (
            "flag: name",
            of(&named)
                .flag(format!("--vault-tls-ca-cert={file}"))
                .flag("--vault-tls-server-name=vault.example"),
            class(),
        ),
        (
            "class: name",
            of(&named).flag(format!("--vault-tls-ca-cert={file}")),
            class().with("vaultTLSServerName", "vault.example"),
        ),
    ];
    for (way, setup, class) in rows {
        let provider = setup.start().await;
        let answer = provider.call("team-a/web", class).send().await;
        assert!(answer.is_ok(), "{way}: {:?}\n{}", answer.err(), provider.log());
    }
}

#[tokio::test]
async fn a_server_that_is_not_trusted_gets_no_token() {
    let (ca, other) = (Authority::new("servers"), Authority::new("others"));
    let vault = Vault::listening(&ca.listener(&["vault.example"])).await;
    let class = || kv("db", "team-a/db", "password");
    for (setup, class) in [
        (Provider::of(&vault), class()),
        (Provider::of(&vault).flag(format!("--vault-tls-ca-cert={}", text(&other.file()))), class()),
        (Provider::of(&vault).flag(format!("--vault-tls-ca-cert={}", text(&ca.file()))), class()),
        (
            Provider::of(&vault).flag(format!("--vault-tls-ca-cert={}", text(&ca.file()))),
            class().with("vaultTLSServerName", "other.example"),
        ),
    ] {
        let provider = setup.start().await;
        provider.refuses("team-a/web", class).await.tells("vault.tls", &[&vault.address()]);
    }
    assert_eq!(vault.calls(), [""; 0]);
}

#[tokio::test]
async fn the_process_sends_its_client_certificate_to_its_own_server() {
    let ca = Authority::new("everybody");
    let vault = Vault::listening(&ca.mutual_listener()).await;
    vault.put("team-a/db", json!({ "password": canary("mutual") })).await;
    let (certificate, key) = ca.certificate(&["provider"]);
    let bare = || Provider::of(&vault).flag(format!("--vault-tls-ca-cert={}", text(&ca.file())));
    let class = || kv("db", "team-a/db", "password");
    let flags = bare()
        .flag(format!("-vault-tls-client-cert={}", text(&certificate)))
        .flag(format!("-vault-tls-client-key={}", text(&key)));
    let environment = bare().env("VAULT_CLIENT_CERT", text(&certificate)).env("VAULT_CLIENT_KEY", text(&key));
    let named =
        class().with("vaultTLSClientCertPath", text(&certificate)).with("vaultTLSClientKeyPath", text(&key));
    for (setup, class) in [(flags, class()), (environment, class()), (bare(), named)] {
        let provider = setup.start().await;
        assert_eq!(provider.mount("team-a/web", class).await.read("db"), canary("mutual"));
    }
    // In TLS 1.3 a server reports a missing certificate after the handshake, in an alert that HTTP/2 loses: the reason
    // is one of several, but the call never succeeds.
    let provider = bare().start().await;
    let refusal = provider.refuses("team-a/web", class()).await;
    assert!(
        ["vault.tls: ", "vault.unreachable: "].iter().any(|reason| refusal.text.starts_with(reason)),
        "{refusal:?}"
    );
    assert!(refusal.text.contains(&vault.address()), "{refusal:?}");
}

#[tokio::test]
async fn a_ca_file_that_changed_on_disk_is_read_again() {
    let (ca, other) = (Authority::new("new"), Authority::new("old"));
    let vault = Vault::listening(&ca.listener(&["127.0.0.1"])).await;
    vault.put("team-a/db", json!({ "password": canary("reloaded") })).await;
    let file = other.file();
    let provider = Provider::of(&vault).flag(format!("--vault-tls-ca-cert={}", text(&file))).start().await;
    let call = provider.call("team-a/web", kv("db", "team-a/db", "password"));
    call.clone().fails().await.tells("vault.tls", &[]);
    fs::write(&file, ca.pem()).unwrap();
    until("the new CA to be used", async || call.send().await.ok()).await;
}

#[tokio::test]
async fn an_unusable_ca_or_certificate_file_of_the_process_is_named() {
    let ca = Authority::new("servers");
    let vault = Vault::listening(&ca.listener(&["127.0.0.1"])).await;
    let garbage = ca.directory().with_file_name("garbage.pem");
    fs::write(
        &garbage,
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", canary("garbage")),
    )
    .unwrap();
    let (absent, garbage) = ("/nowhere/at/all.pem", text(&garbage));
    let flags = |names: &[&str], file: &str| {
        names.iter().fold(Provider::of(&vault), |setup, name| setup.flag(format!("{name}={file}")))
    };
    for (names, file) in [
        (&["--vault-tls-ca-cert"][..], absent),
        (&["--vault-tls-ca-directory"], absent),
        (&["--vault-tls-ca-cert"], &garbage),
        (&["--vault-tls-client-cert", "--vault-tls-client-key"], absent),
        (&["--vault-tls-client-cert", "--vault-tls-client-key"], &garbage),
    ] {
        let provider = flags(names, file).start().await;
        // Already at the start, before any mount.
        let warnings = warnings(&provider, file);
        assert!((1..=names.len()).contains(&warnings.len()), "{names:?}: {warnings:?}");
        provider.refuses("team-a/web", kv("db", "team-a/db", "password")).await.tells("vault.tls", &[file]);
    }
    assert_eq!(vault.calls(), [""; 0]);
}

/// As with Go and curl: `openssl req -x509` marks such a certificate as a CA, and the server shows it as its own.
#[tokio::test]
async fn a_servers_self_signed_certificate_that_is_given_as_the_ca_is_trusted() {
    for is_ca in [true, false] {
        let own = SelfSigned::by_openssl("IP:127.0.0.1", is_ca);
        let vault = Vault::listening(&own.listener()).await;
        vault.put("team-a/db", json!({ "password": canary("pinned") })).await;
        let class = || kv("db", "team-a/db", "password");
        let file = own.certificate();
        for (setup, class) in [
            (Provider::of(&vault).flag(format!("--vault-tls-ca-cert={file}")), class()),
            (Provider::of(&vault).env("VAULT_CACERT", &*file), class()),
            (Provider::of(&vault).env("VAULT_CACERT_BYTES", fs::read_to_string(&file).unwrap()), class()),
            (Provider::of(&vault), class().with("vaultCACertPath", &*file)),
        ] {
            let provider = setup.start().await;
            assert_eq!(
                provider.mount("team-a/web", class).await.read("db"),
                canary("pinned"),
                "{}",
                provider.log()
            );
        }
    }
}

#[tokio::test]
async fn a_self_signed_certificate_of_another_name_date_or_key_is_refused() {
    let (own, other) =
        (SelfSigned::by_openssl("IP:127.0.0.1", true), SelfSigned::by_openssl("IP:127.0.0.1", true));
    let (named, expired) = (SelfSigned::by_openssl("DNS:vault.example", true), SelfSigned::expired());
    for (shown, given, text) in [
        (&own, &other, "is trusted only if this same certificate is given as the CA"),
        (&named, &named, "the server's certificate is not for the expected name 127.0.0.1"),
        (&expired, &expired, "the server's certificate has expired"),
    ] {
        let vault = Vault::listening(&shown.listener()).await;
        let flag = format!("--vault-tls-ca-cert={}", given.certificate());
        let provider = Provider::of(&vault).flag(flag).start().await;
        let refusal = provider.refuses("team-a/web", kv("db", "team-a/db", "password")).await;
        refusal.tells("vault.tls", &[&vault.address(), text]);
        assert_eq!(vault.calls(), [""; 0]);
    }
}

#[tokio::test]
async fn a_server_without_tls_behind_an_https_address_is_reported_as_such() {
    let vault = Vault::start().await;
    let provider = Provider::facing(&vault.address().replace("http://", "https://")).start().await;
    let refusal = provider.refuses("team-a/web", kv("db", "team-a/db", "password")).await;
    refusal.tells("vault.tls", &["the server does not speak TLS at this port"]);
}

/// The warnings that name `file`, and end with what follows.
fn warnings(provider: &Provider, file: &str) -> Vec<String> {
    let log = provider.log();
    let warns =
        |line: &&str| line.contains("WARN") && line.contains(file) && line.contains("read again later");
    log.lines().filter(warns).map(Into::into).collect()
}

#[tokio::test]
async fn certificate_files_that_cannot_be_used_are_reported_at_the_start_and_usable_ones_are_not() {
    let (ca, other) = (Authority::new("servers"), Authority::new("others"));
    let (certificate, key) = ca.certificate(&["provider"]);
    let (_, other_key) = other.certificate(&["provider"]);
    let empty = ca.directory().with_file_name("empty");
    fs::create_dir(&empty).unwrap();
    let hollow = ca.directory().with_file_name("hollow.pem");
    fs::write(&hollow, "\n").unwrap();
    let client = |key: &Path| {
        [
            format!("--vault-tls-client-cert={}", text(&certificate)),
            format!("--vault-tls-client-key={}", text(key)),
        ]
    };
    let (empty, hollow) = (text(&empty), text(&hollow));
    let good = format!("--vault-tls-ca-cert={}", text(&ca.file()));
    for (flags, named) in [
        (vec![format!("--vault-tls-ca-directory={empty}")], Some(empty.clone())),
        (vec![format!("--vault-tls-ca-cert={hollow}")], Some(hollow.clone())),
        (vec![format!("--vault-tls-ca-cert={hollow}"), "--vault-tls-skip-verify".into()], None),
        (client(&other_key).into(), Some(text(&other_key))),
        ([vec![good], client(&key).into()].concat(), None),
        (vec![], None),
    ] {
        let setup = flags.iter().fold(Provider::facing("https://127.0.0.1:1"), Setup::flag);
        let provider = setup.start().await;
        let found = warnings(&provider, named.as_deref().unwrap_or_default());
        assert_eq!(found.len(), usize::from(named.is_some()), "{flags:?}: {found:?}");
    }
}
