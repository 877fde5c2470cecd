mod life; // settings of state and of concurrent work

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use clap::CommandFactory;
use tracing::level_filters::LevelFilter;

use super::{Cli, Command};
use crate::class::{Defaults, Flavor, UnknownFields};
use crate::settings::{
    Environment, Output, ServeArgs, Settings, SettingsError, TokenRequests, VersionKeySource,
};
use crate::telemetry::logs::Format;

fn command(arguments: &[&str]) -> Result<Command, clap::Error> {
    Command::parse(["vaultmount"].iter().chain(arguments).map(OsString::from))
}

fn flags(arguments: &[&str]) -> ServeArgs {
    match command(arguments) {
        Ok(Command::Serve(flags)) => *flags,
        Ok(_) => panic!("{arguments:?} is not serve"),
        Err(error) => panic!("{error}"),
    }
}

fn settings<const N: usize>(
    arguments: &[&str],
    environment: [(&str, &str); N],
) -> Result<Settings, SettingsError> {
    Settings::new(flags(arguments), &environment.into())
}

fn defaults<const N: usize>(arguments: &[&str], environment: [(&str, &str); N]) -> Defaults {
    settings(arguments, environment).unwrap().defaults(Flavor::Vault).clone()
}

#[test]
fn the_flags_of_both_upstream_providers_are_accepted_in_gos_spelling() {
    let hashicorp = flags(&[
        "-endpoint=/provider/vault.sock",
        "-log-level=info",
        "-hmac-secret-name=key",
        "-cache-size",
        "-10",
        "-vault-addr",
        "https://vault:8200",
        "--vault-tls-skip-verify",
        "-health-addr=:9090",
    ]);
    assert_eq!(
        (hashicorp.endpoint, hashicorp.cache_size, hashicorp.server.vault_tls_skip_verify),
        (vec!["/provider/vault.sock".into()], Some(-10), true)
    );
    assert_eq!(hashicorp.server.vault_addr.as_deref(), Some("https://vault:8200"));
    let openbao = flags(&[
        "--endpoint=/provider/openbao.sock",
        "-debug=true",
        "--openbao-addr=http://bao:8200",
        "-openbao-mount=jwt",
        "-openbao-namespace=a",
        "-openbao-tls-ca-cert=/ca",
        "-openbao-tls-ca-directory=/cas",
        "-openbao-tls-server-name=n",
        "-openbao-tls-client-cert=/c",
        "-openbao-tls-client-key=/k",
        "-openbao-tls-skip-verify=false",
    ]);
    assert!(openbao.debug && !openbao.server.vault_tls_skip_verify);
    assert_eq!(
        (
            openbao.server.vault_addr.as_deref(),
            openbao.vault_mount.as_str(),
            openbao.server.vault_namespace.as_deref()
        ),
        (Some("http://bao:8200"), "jwt", Some("a"))
    );
}

#[test]
fn the_last_value_of_a_flag_counts_and_a_list_has_all_values() {
    let flags = flags(&[
        "-vault-addr=a",
        "--vault-addr=b",
        "-debug",
        "-debug=false",
        "--endpoint=/a.sock",
        "-endpoint",
        "/b.sock",
        "--allow-address=x",
        "--allow-address=y",
    ]);
    assert_eq!((flags.server.vault_addr.as_deref(), flags.debug), (Some("b"), false));
    assert_eq!(
        (flags.endpoint, flags.allow_address),
        (vec!["/a.sock".to_owned(), "/b.sock".into()], vec!["x".to_owned(), "y".into()])
    );
}

#[test]
fn without_a_command_vaultmount_serves() {
    assert!(matches!(command(&[]), Ok(Command::Serve(_))));
    assert!(matches!(command(&["serve", "-debug"]), Ok(Command::Serve(flags)) if flags.debug));
    assert!(matches!(command(&["-version"]), Ok(Command::Version { output: Output::Json })));
    assert!(matches!(
        command(&["--version", "-output=json-pretty"]),
        Ok(Command::Version { output: Output::JsonPretty })
    ));
    assert!(matches!(command(&["-version=false"]), Ok(Command::Serve(_))));
    assert!(matches!(
        command(&["version", "--output", "yaml"]),
        Ok(Command::Version { output: Output::Yaml })
    ));
    assert!(
        matches!(command(&["prepare", "--socket-dir=/a"]), Ok(Command::Prepare(prepare)) if prepare.gid == 65532)
    );
    assert!(
        matches!(command(&["mount", "--class=c.yaml", "--target=/t"]), Ok(Command::Mount(mount)) if mount.audience == "vault")
    );
}

#[test]
fn an_argument_without_a_meaning_is_refused() {
    for arguments in [
        &["--no-such-flag"][..],
        &["-debug=perhaps"],
        &["-output=xml"],
        &["stray"],
        &["--token-requests=maybe"],
        &["--shutdown-timeout=20"],
        &["-cache-size=x"],
    ] {
        assert!(command(arguments).is_err(), "{arguments:?}");
    }
}

#[test]
fn log_level_overrides_debug_and_an_unknown_level_is_info() {
    let level = |arguments: &[&str]| settings(arguments, []).unwrap().log_level;
    let cases: [(&[&str], LevelFilter); 9] = [
        (&[], LevelFilter::INFO),
        (&["-debug"], LevelFilter::DEBUG),
        (&["-debug", "-log-level=warn"], LevelFilter::WARN),
        (&["-log-level=", "-debug"], LevelFilter::DEBUG),
        (&["-log-level=TRACE"], LevelFilter::TRACE),
        (&["-log-level=debug"], LevelFilter::DEBUG),
        (&["-log-level=error"], LevelFilter::ERROR),
        (&["-log-level=off"], LevelFilter::OFF),
        (&["-log-level=nonsense"], LevelFilter::INFO),
    ];
    for (arguments, expected) in cases {
        assert_eq!(level(arguments), expected, "{arguments:?}");
    }
}

#[test]
fn a_flag_overrides_the_environment() {
    let address = |arguments: &[&str], environment: [(&str, &str); 2]| {
        defaults(arguments, environment).address.to_string()
    };
    assert_eq!(defaults(&[], []).address.to_string(), "https://127.0.0.1:8200");
    assert_eq!(
        address(&[], [("VAULT_ADDR", "unix:///agent.sock"), ("BAO_ADDR", "http://bao")]),
        "unix:///agent.sock"
    );
    assert_eq!(address(&[], [("VAULT_ADDR", ""), ("BAO_ADDR", "http://bao")]), "http://bao");
    assert_eq!(address(&["-vault-addr="], [("VAULT_ADDR", "http://env"), ("X", "")]), "http://env");
    assert_eq!(
        address(&["-vault-addr=http://flag"], [("VAULT_ADDR", "http://env"), ("X", "")]),
        "http://flag"
    );
    assert_eq!(
        address(
            &["-vault-addr=http://flag"],
            [("VAULT_ADDR", "http://env"), ("VAULT_AGENT_ADDR", "http://agent")]
        ),
        "http://agent"
    );
    let openbao = settings(&[], [("VAULT_ADDR", "http://vault"), ("BAO_ADDR", "http://bao")]).unwrap();
    assert_eq!(openbao.defaults(Flavor::OpenBao).address.to_string(), "http://bao");
}

#[test]
fn tls_flags_override_the_tls_variables_of_the_environment() {
    let environment = [
        ("VAULT_CACERT", "/env-ca"),
        ("VAULT_CACERT_BYTES", "pem"),
        ("VAULT_CAPATH", "/dir"),
        ("VAULT_TLS_SERVER_NAME", "env"),
        ("VAULT_SKIP_VERIFY", "1"),
    ];
    let env = defaults(&[], environment).tls;
    assert_eq!((env.ca_file, env.ca_bytes, env.ca_directory), (Some("/env-ca".into()), None, None));
    assert_eq!((env.server_name.as_deref(), env.skip_verify), (Some("env"), true));
    let over = defaults(
        &["-vault-tls-ca-directory=/cas", "-vault-tls-server-name=flag", "-vault-tls-skip-verify=false"],
        environment,
    )
    .tls;
    assert_eq!(
        (over.ca_file, over.ca_directory, over.server_name.as_deref(), over.skip_verify),
        (None, Some("/cas".into()), Some("flag"), true)
    );
    let pair = defaults(
        &["-vault-tls-client-cert=/c", "-vault-tls-client-key=/k"],
        [("VAULT_CLIENT_CERT", "/x"), ("VAULT_CLIENT_KEY", "/y")],
    )
    .tls
    .client
    .unwrap();
    assert_eq!((pair.certificate, pair.configured), ("/c".into(), true));
}

#[test]
fn a_setting_that_cannot_be_right_prevents_the_start_without_its_value_in_the_error() {
    let error = |arguments: &[&str], environment: [(&str, &str); 1]| {
        settings(arguments, environment).err().unwrap().to_string()
    };
    let none = [("X", "")];
    assert_eq!(
        error(&[], [("BAO_ADDR", "https://root:canary@bao")]),
        "BAO_ADDR: an address must not contain a user or a password: log in with a role"
    );
    assert_eq!(
        error(&["-vault-addr=vault:8200"], none),
        "--vault-addr: an address begins with http://, https:// or unix://"
    );
    assert_eq!(error(&[], [("VAULT_SKIP_VERIFY", "yes")]), "VAULT_SKIP_VERIFY: must be true or false");
    assert_eq!(
        error(&["-vault-tls-client-key=/k"], none),
        "--vault-tls-client-key needs --vault-tls-client-cert too: a client certificate needs its key"
    );
    assert!(error(&[], [("VAULT_SRV_LOOKUP", "true")]).starts_with("VAULT_SRV_LOOKUP is refused: "));
    assert!(
        error(&["-vault-addr=https://vault"], [("VAULT_HTTP_PROXY", "ftp://u:canary@x")])
            .starts_with("VAULT_HTTP_PROXY is not the URL of a proxy")
    );
    assert!(error(&["-health-addr=8080"], none).starts_with("--health-addr 8080: must be host:port"));
}

#[test]
fn an_ignored_setting_is_logged_once_without_its_value() {
    let settings = settings(
        &["-cache-size=5"],
        [
            ("VAULT_TOKEN", "canary"),
            ("BAO_TOKEN", "canary"),
            ("VAULT_MAX_RETRIES", ""),
            ("VAULT_AGENT_ADDR", "http://agent"),
        ],
    )
    .unwrap();
    let warnings = settings.warnings.join("\n");
    for expected in [
        "VAULT_TOKEN is ignored: ",
        "BAO_TOKEN is ignored: ",
        "VAULT_AGENT_ADDR is set: ",
        "--cache-size is ignored",
        "--allow-address",
        "--allow-auth-mount",
        "--tls-dir",
    ] {
        assert_eq!(warnings.matches(expected).count(), 1, "{expected}\n{warnings}");
    }
    assert!(!warnings.contains("canary") && !warnings.contains("RETRIES"), "{warnings}");
}

#[test]
fn flags_of_vaultmount_have_their_defaults() {
    let settings =
        settings(&["--allow-address=10.0.0.0/8", "--allow-auth-mount=jwt,/auth/b/", "--tls-dir=/tls"], [])
            .unwrap();
    assert_eq!(
        (settings.log_format, settings.token_requests, settings.shutdown_timeout),
        (Format::Json, TokenRequests::Auto, Duration::from_secs(20))
    );
    assert_eq!(
        (settings.health.port(), settings.health.ip().is_unspecified(), settings.warnings.len()),
        (8080, true, 0)
    );
    let mounts = &settings.defaults(Flavor::Vault).auth_mounts;
    assert!(["jwt", "b", "kubernetes"].iter().all(|mount| mounts.names(mount)) && !mounts.names("cert"));
    assert_eq!(
        (settings.tls_dir.as_deref(), &settings.version_key),
        (Some(Path::new("/tls")), &VersionKeySource::Random)
    );
    assert_eq!(settings.defaults(Flavor::Vault).unknown_fields, UnknownFields::Warn);
    let refresh = |settings: &Settings| {
        let defaults = settings.defaults(Flavor::OpenBao);
        (defaults.refresh, defaults.min_refresh)
    };
    assert_eq!(refresh(&settings), (None, Duration::ZERO));
    let set = flags(&[
        "--unknown-fields=error",
        "--log-format=text",
        "--hmac-key-file=/key",
        "--hmac-secret-name=s",
        "--allow-peer-uid=7",
        "--token-requests=off",
        "--refresh=10m",
        "--min-refresh=30s",
    ]);
    let set = Settings::new(set, &Environment::default()).unwrap();
    assert_eq!(set.defaults(Flavor::Vault).unknown_fields, UnknownFields::Error);
    assert_eq!(refresh(&set), (Some(Duration::from_secs(600)), Duration::from_secs(30)));
    assert_eq!(
        (set.log_format, set.token_requests, set.version_key),
        (Format::Text, TokenRequests::Off, VersionKeySource::File("/key".into()))
    );
}

const REFERENCE: &str = include_str!("../../docs/reference.md");

#[test]
fn the_reference_has_every_flag_with_its_default() {
    let serve = Cli::command().find_subcommand("serve").cloned().unwrap();
    for flag in serve.get_arguments().filter(|flag| flag.get_id() != "help") {
        let name = flag.get_long().unwrap();
        let row = REFERENCE.lines().find(|line| line.starts_with(&format!("| `--{name}`")));
        let row = row.unwrap_or_else(|| panic!("--{name} is not in the reference"));
        for alias in
            flag.get_all_aliases().unwrap_or_default().iter().filter(|alias| alias.starts_with("openbao"))
        {
            assert!(row.contains(&format!("`--{alias}`")), "{row}");
        }
        for default in flag.get_default_values() {
            assert!(row.contains(&format!("| `{}` |", default.to_str().unwrap())), "{row}");
        }
    }
}

#[test]
fn the_reference_has_every_variable_as_the_table_uses_it() {
    for variable in crate::settings::environment::VARIABLES {
        let names = variable.names().iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let row = format!("| {names} | {} | {} |", variable.used.word(), variable.reason);
        assert!(REFERENCE.contains(&row), "missing: {row}");
    }
    let rows = REFERENCE
        .lines()
        .filter(|line| ["| honoured |", "| ignored |", "| refused |"].iter().any(|used| line.contains(used)))
        .count();
    assert_eq!(rows, crate::settings::environment::VARIABLES.len());
}

#[test]
fn a_handover_needs_a_decision_about_credentials() {
    let handover =
        |arguments: &[&str]| command(&[&["handover", "--state-dir=/s"], arguments].concat()).is_ok();
    assert!(handover(&["--keep"]));
    assert!(handover(&["--revoke", "--node-name=n", "--state-key-file=/key"]));
    assert!(
        !handover(&[]) && !handover(&["--keep", "--revoke", "--node-name=n"]) && !handover(&["--revoke"])
    );
}
