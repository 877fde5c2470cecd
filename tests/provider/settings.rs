//! Sockets, prefixes, flags and environment variables of the upstream providers, as their users have them.

use crate::support::*;

/// For each socket: parameters of all prefixes at once, and the role that wins.
#[tokio::test]
async fn on_each_socket_its_own_prefix_wins() {
    let vault = Vault::start().await;
    let provider =
        Provider::of(&vault).sockets(&["vault.sock", "openbao.sock", "vaultmount.sock"]).start().await;
    vault.put("team-a/db", json!({ "password": canary("prefix") })).await;
    let (bao, openbao, hashi, plain) = ("baoRoleName", "openbaoRoleName", "vaultRoleName", "roleName");
    for role in [bao, openbao, hashi, plain] {
        vault.role("kubernetes", role, json!({ "bound_audiences": ["vault", "openbao"] })).await;
    }
    for (socket, parameters, winner) in [
        ("openbao.sock", &[bao, openbao, hashi, plain][..], bao),
        ("openbao.sock", &[openbao, hashi, plain], openbao),
        ("openbao.sock", &[hashi, plain], hashi),
        ("openbao.sock", &[plain], plain),
        ("vault.sock", &[bao, openbao, hashi, plain], hashi),
        ("vault.sock", &[bao, openbao, plain], bao),
        ("vault.sock", &[openbao, plain], openbao),
        ("vault.sock", &[plain], plain),
        ("vaultmount.sock", &[bao, openbao, hashi, plain], hashi),
        ("vaultmount.sock", &[plain], plain),
    ] {
        let class = kv("db", "team-a/db", "password").without("roleName");
        let class = parameters.iter().fold(class, |class, parameter| class.with(parameter, *parameter));
        provider.call("team-a/web", class).over(socket).audiences(&["vault", "openbao"]).mount().await;
        let mut requests = vault.requests().into_iter().rev();
        let login = requests.find(|request| request["path"] == "auth/kubernetes/login").unwrap();
        assert_eq!(login["data"]["role"], winner, "{socket} {parameters:?}");
    }
}

#[tokio::test]
async fn a_parameter_that_is_there_but_empty_still_hides_the_next_prefix() {
    let vault = Vault::start().await;
    let provider = Provider::of(&vault).sockets(&["openbao.sock"]).start().await;
    let class = kv("db", "team-a/db", "password").with("baoRoleName", "");
    let refusal =
        provider.call("team-a/web", class).over("openbao.sock").audiences(&["openbao"]).fails().await;
    refusal.tells("spec.invalid", &["oleName"]);
    assert_eq!(vault.calls(), [""; 0]);
}

#[tokio::test]
async fn the_default_audience_follows_the_sockets_name() {
    let vault = Vault::start().await;
    let provider =
        Provider::of(&vault).sockets(&["vault.sock", "openbao.sock", "vaultmount.sock"]).start().await;
    vault.put("team-a/db", json!({ "password": canary("audience") })).await;
    vault.role("kubernetes", "openbao", json!({ "bound_audiences": ["openbao"] })).await;
    for (socket, role) in [("vault.sock", "web"), ("vaultmount.sock", "web"), ("openbao.sock", "openbao")] {
        let class = kv("db", "team-a/db", "password").with("roleName", role);
        let pod =
            provider.call("team-a/web", class).over(socket).audiences(&["openbao", "vault"]).mount().await;
        assert_eq!(pod.read("db"), canary("audience"), "{socket}");
    }
}

#[tokio::test]
async fn flags_of_both_upstream_providers_are_accepted_in_gos_spelling() {
    let vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": canary("flags") })).await;
    let address = vault.address();
    let equal = |name: &str| vec![format!("{name}={address}")];
    let apart = |name: &str| vec![name.to_owned(), address.clone()];
    let with =
        |flags: &[&str]| [equal("--vault-addr"), flags.iter().map(|&flag| flag.into()).collect()].concat();
    for flags in [
        equal("-vault-addr"),
        equal("--openbao-addr"),
        equal("-openbao-addr"),
        apart("-vault-addr"),
        apart("--openbao-addr"),
        with(&["-debug"]),
        with(&["-debug=false", "-log-level", "trace"]),
        with(&["-cache-size=0", "-output=json"]),
        with(&[
            "-vault-mount",
            "kubernetes",
            "-vault-namespace=",
            "-vault-tls-skip-verify=false",
            "-vault-tls-ca-cert=",
        ]),
        with(&["-openbao-mount=kubernetes", "-openbao-tls-ca-directory=", "-openbao-tls-server-name="]),
    ] {
        let setup =
            flags.iter().fold(Provider::without_server(&vault), |setup, flag| setup.flag(flag.as_str()));
        let provider = setup.start().await;
        let pod = provider.mount("team-a/web", kv("db", "team-a/db", "password")).await;
        assert_eq!(pod.read("db"), canary("flags"), "{flags:?}");
    }
}

#[tokio::test]
async fn a_flag_wins_over_the_environment_and_a_class_over_both() {
    let vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": canary("address") })).await;
    let (class, nobody) = (kv("db", "team-a/db", "password"), "http://127.0.0.1:1");
    for variable in ["VAULT_ADDR", "BAO_ADDR"] {
        let provider = Provider::without_server(&vault).env(variable, vault.address()).start().await;
        assert_eq!(
            provider.mount("team-a/web", class.clone()).await.read("db"),
            canary("address"),
            "{variable}"
        );
        let provider = Provider::of(&vault).env(variable, nobody).start().await;
        assert_eq!(
            provider.mount("team-a/web", class.clone()).await.read("db"),
            canary("address"),
            "{variable} under the flag"
        );
    }
    let flags = [format!("--vault-addr={nobody}"), format!("--allow-address={}", vault.address())];
    let provider = flags
        .into_iter()
        .fold(Provider::without_server(&vault), |setup, flag| setup.flag(flag))
        .start()
        .await;
    let chosen = class.with("vaultAddress", vault.address());
    assert_eq!(provider.mount("team-a/web", chosen).await.read("db"), canary("address"));
}

#[tokio::test]
async fn an_agent_on_a_unix_socket_is_a_server_too() {
    let vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": canary("agent") })).await;
    let address = format!("unix://{}", vault.socket().display());
    for setup in [
        Provider::without_server(&vault).flag(format!("--vault-addr={address}")),
        Provider::without_server(&vault).env("VAULT_ADDR", &*address),
        Provider::without_server(&vault).env("BAO_ADDR", &*address),
    ] {
        let provider = setup.start().await;
        assert_eq!(
            provider.mount("team-a/web", kv("db", "team-a/db", "password")).await.read("db"),
            canary("agent")
        );
        let refusal = provider.refuses("team-a/web", kv("db", "team-a/none", "password")).await;
        refusal.tells("vault.not_found", &[&address]);
    }
}

#[tokio::test]
async fn an_unknown_parameter_warns_or_fails_as_the_operator_wants() {
    let vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": canary("unknown") })).await;
    let class = kv("db", "team-a/db", "password")
        .with("vaultAdress", "http://127.0.0.1:1")
        .each("secretkey", "password");
    let lenient = Provider::start(&vault).await;
    assert_eq!(lenient.mount("team-a/web", class.clone()).await.read("db"), canary("unknown"));
    for word in ["vaultAdress", "vaultAddress", "secretkey"] {
        assert!(lenient.log().contains(word), "the warning does not name {word}");
    }
    let strict = Provider::of(&vault).flag("--unknown-fields=error").start().await;
    let refusal = strict.refuses("team-a/web", class).await;
    refusal.tells("spec.invalid", &["vaultAdress", "vaultAddress", "secretkey", "secretKey"]);
    assert_eq!(vault.count("update auth/kubernetes/login"), 1, "only the lenient one's");
    strict.mount("team-a/web", kv("db", "team-a/db", "password")).await;
}

/// The names of the variables that the reference says are used in this way.
fn variables(way: &str) -> Vec<&'static str> {
    const REFERENCE: &str = include_str!("../../docs/reference.md");
    let rows = REFERENCE.lines().filter_map(|line| line.split_once(&format!(" | {way} | ")));
    let names: Vec<_> = rows.flat_map(|(names, _)| names.split('`').skip(1).step_by(2)).collect();
    assert!(!names.is_empty(), "no variable is {way}");
    names
}

#[tokio::test]
async fn a_variable_that_is_not_honoured_is_named_at_the_start_and_changes_nothing() {
    let vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": canary("variables") })).await;
    let ignored = variables("ignored");
    let setup = ignored.iter().fold(Provider::of(&vault), |setup, name| setup.env(name, canary("value")));
    let provider = setup.start().await;
    assert_eq!(
        provider.mount("team-a/web", kv("db", "team-a/db", "password")).await.read("db"),
        canary("variables")
    );
    for name in ignored {
        assert!(provider.log().contains(name), "{name}");
    }
    for name in variables("refused") {
        let log = Provider::of(&vault).env(name, "true").fails().await;
        assert!(log.contains(name), "{log}");
    }
}
