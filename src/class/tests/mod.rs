mod common_mistakes; // what people misspell and misplace, and docs/common-mistakes.md
mod lifetime; // login, shareScope, refresh, maxStale; what tells volumes apart; what sealed records hold

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::*;
use crate::spec::*;

use crate::error::{Failure, Reason};

const OBJECTS: &str = "- {objectName: db, secretPath: secret/data/db, secretKey: password}";

fn defaults(flavor: Flavor) -> Defaults {
    Defaults {
        flavor,
        address: "https://127.0.0.1:8200".parse().unwrap(),
        auth_mounts: AuthMounts::default(),
        namespace: None,
        tls: TlsSpec::default(),
        audiences: Audiences::default(),
        unknown_fields: UnknownFields::Warn,
        max_stale: Duration::from_secs(24 * 3600),
        refresh: None,
        min_refresh: Duration::ZERO,
        written_by: VolumeWriter::Driver,
        clock: || UNIX_EPOCH + Duration::from_secs(1_000),
    }
}

/// What a kubelet adds to a class.
fn vouched() -> Value {
    json!({
        "csi.storage.k8s.io/ephemeral": "true",
        "csi.storage.k8s.io/pod.name": "web-1",
        "csi.storage.k8s.io/pod.namespace": "team-a",
        "csi.storage.k8s.io/pod.uid": "0c5a",
        "csi.storage.k8s.io/serviceAccount.name": "web",
        "secretProviderClass": "db",
    })
}

fn attributes(class: Value) -> Map<String, Value> {
    let Value::Object(mut whole) = vouched() else { unreachable!() };
    let Value::Object(class) = class else { unreachable!() };
    whole.extend(class);
    whole.retain(|_, value| !value.is_null());
    whole
}

fn parse_on(class: Value, defaults: &Defaults) -> Result<MountSpec, SpecErrors> {
    let attributes = Value::Object(attributes(class)).to_string();
    let call = MountCall {
        attributes: &attributes,
        secrets: "null",
        target_path: "/var/lib/kubelet/x/mount",
        permission: "420",
        published: &|| None,
    };
    MountSpec::parse(&call, defaults)
}

/// The smallest class with `more` over it, on `vault.sock`.
fn parse(more: Value) -> Result<MountSpec, SpecErrors> {
    parse_on(with(more), &defaults(Flavor::Vault))
}

fn with(more: Value) -> Value {
    let (mut class, Value::Object(more)) = (json!({"roleName": "app", "objects": OBJECTS}), more) else {
        unreachable!()
    };
    more.into_iter().for_each(|(name, value)| class[name] = value);
    class
}

fn message(more: Value) -> String {
    Failure::from(parse(more).unwrap_err()).message()
}

fn token(namespace: &str, account: &str, exp: u32) -> Value {
    let claims = json!({"sub": format!("system:serviceaccount:{namespace}:{account}"), "exp": exp});
    json!({"token": format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string())), "expirationTimestamp": "2026-01-01T00:00:00Z"})
}

fn passed(tokens: Value) -> Value {
    json!({"csi.storage.k8s.io/serviceAccount.tokens": tokens.to_string()})
}

#[test]
fn the_smallest_class_becomes_a_mount() {
    let spec = parse(json!({})).unwrap();
    assert_eq!(
        spec.pod,
        Pod {
            namespace: "team-a".into(),
            name: "web-1".into(),
            uid: "0c5a".into(),
            service_account: "web".into()
        }
    );
    assert_eq!(
        (spec.auth.mount.as_str(), spec.auth.role.as_str(), &spec.auth.audience),
        ("kubernetes", "app", &None)
    );
    assert_eq!(
        (spec.server.address.to_string().as_str(), spec.server.configured),
        ("https://127.0.0.1:8200", true)
    );
    assert!(spec.token.is_none() && spec.warnings.is_empty(), "{:?}", spec.warnings);
    let [object] = spec.objects.as_slice() else { panic!("{:?}", spec.objects) };
    assert_eq!((object.name().as_str(), object.mode), ("db", 0o644));
    let Placement::File(_, View::Value(SourceValue { source, selector, encoding: Encoding::Utf8 })) =
        &object.place
    else {
        panic!("{object:?}")
    };
    assert_eq!(selector, &Selector { root: SelectorRoot::Data, path: SelectorPath::Key("password".into()) });
    let request = Request::new("GET", "/v1/secret/data/db", None).unwrap();
    assert_eq!(
        source,
        &Source { namespace: None, request: EngineRequest::Request(request), share: ShareScope::Pod }
    );
}

#[test]
fn a_class_with_every_parameter_says_where_and_how() {
    let class = json!({
        "vaultAddress": "https://vault.example.com:8200/", "vaultNamespace": "/admin/team/", "vaultAuthMountPath": "/jwt-prod/", "audience": "my-aud",
        "vaultCACertPath": "/ca.pem", "vaultTLSServerName": "vault", "vaultTLSClientCertPath": "/c.pem", "vaultTLSClientKeyPath": "/k.pem",
        "vaultSkipTLSVerify": "t",
    });
    let spec = parse(class).unwrap();
    assert_eq!(
        (spec.server.address.to_string().as_str(), spec.server.configured),
        ("https://vault.example.com:8200", false)
    );
    assert_eq!(
        (spec.server.namespace.as_deref(), spec.auth.mount.as_str()),
        (Some("admin/team"), "jwt-prod")
    );
    assert_eq!(spec.auth.audience.as_deref(), Some("my-aud"));
    let client = ClientCertificate { certificate: "/c.pem".into(), key: "/k.pem".into(), configured: false };
    let tls = TlsSpec {
        ca_file: Some("/ca.pem".into()),
        server_name: Some("vault".into()),
        client: Some(client),
        skip_verify: true,
        ..TlsSpec::default()
    };
    assert_eq!(spec.server.tls, tls);
}

#[test]
fn the_first_prefix_that_is_present_wins_and_its_order_is_that_of_the_socket() {
    let role = |flavor, names: &[&str]| {
        let class = names.iter().fold(json!({"objects": OBJECTS}), |mut class, name| {
            class[*name] = json!(*name);
            class
        });
        parse_on(class, &defaults(flavor)).unwrap().auth.role
    };
    let all = ["roleName", "vaultRoleName", "baoRoleName", "openbaoRoleName"];
    assert_eq!(role(Flavor::OpenBao, &all), "baoRoleName");
    assert_eq!(role(Flavor::OpenBao, &["roleName", "vaultRoleName", "openbaoRoleName"]), "openbaoRoleName");
    assert_eq!(role(Flavor::OpenBao, &["roleName", "vaultRoleName"]), "vaultRoleName");
    assert_eq!(role(Flavor::OpenBao, &["roleName"]), "roleName");
    assert_eq!(role(Flavor::Vault, &all), "vaultRoleName");
    assert_eq!(role(Flavor::Vault, &["roleName", "baoRoleName", "openbaoRoleName"]), "baoRoleName");
    // Present though empty: the process's own address, not the next prefix's.
    let spec = parse(json!({"vaultAddress": "", "baoAddress": "https://other"})).unwrap();
    assert!(spec.server.configured);
}

#[test]
fn a_class_lies_over_the_process_as_in_the_peers() {
    let mut below = defaults(Flavor::Vault);
    below.namespace = Some("root-ns".into());
    below.tls = TlsSpec { skip_verify: true, server_name: Some("below".into()), ..TlsSpec::default() };
    below.tls.trust(None, None, Some("/cas".into()));
    let plain = parse_on(with(json!({"vaultSkipTLSVerify": "false"})), &below).unwrap();
    assert_eq!(
        (plain.server.tls, plain.server.namespace),
        (below.tls.clone(), Some("root-ns".into())),
        "`false` turns nothing off"
    );
    let over = parse_on(
        with(json!({"vaultCACertPath": "/ca", "vaultCADirectory": "/dir", "vaultTLSServerName": "above"})),
        &below,
    )
    .unwrap();
    assert_eq!(
        (over.server.tls.ca_file, over.server.tls.ca_directory),
        (Some("/ca".into()), None),
        "a file counts before a directory"
    );
    assert_eq!(over.server.tls.server_name.as_deref(), Some("above"));
}

#[test]
fn an_address_that_equals_the_configured_one_is_configured() {
    assert!(parse(json!({"vaultAddress": "https://127.0.0.1:8200/"})).unwrap().server.configured);
    assert!(!parse(json!({"vaultAddress": "http://127.0.0.1:8200"})).unwrap().server.configured);
}

#[test]
fn calls_come_in_the_form_of_each_driver() {
    let objects = json!({"roleName": "app", "objects": OBJECTS});
    let rotation_of_1_5 = json!({"secretProviderClass": null, "csi.storage.k8s.io/ephemeral": null});
    let sync_controller = json!({"csi.storage.k8s.io/pod.name": "controller", "csi.storage.k8s.io/pod.uid": "ff", "secretProviderClass": null});
    for (more, secrets, target, permission) in [
        (json!({}), "null", "/x/mount", "420"),
        (rotation_of_1_5, "{}", "/x/mount", "420"),
        (sync_controller, "{}", "/mnt/secrets-store", "420"),
        (json!({}), "", "/x/mount", ""),
    ] {
        let Value::Object(more) = more else { unreachable!() };
        let mut class = objects.clone();
        more.into_iter().for_each(|(name, value)| class[name] = value);
        let attributes = Value::Object(attributes(class)).to_string();
        let call = MountCall {
            attributes: &attributes,
            secrets,
            target_path: target,
            permission,
            published: &|| None,
        };
        let spec = MountSpec::parse(&call, &defaults(Flavor::Vault)).unwrap();
        assert_eq!((spec.objects[0].mode, spec.warnings.len()), (0o644, 0));
    }
}

#[test]
fn the_token_is_the_one_of_the_classes_audience_or_the_sockets() {
    let tokens = passed(
        json!({"vault": token("team-a", "web", 2000), "my-aud": token("team-a", "web", 2000), "openbao": token("team-a", "web", 2000)}),
    );
    let audience = |flavor, class: Value| {
        parse_on(with(class), &defaults(flavor)).unwrap().token.map(|token| token.audience)
    };
    assert_eq!(audience(Flavor::Vault, tokens.clone()).as_deref(), Some("vault"));
    assert_eq!(audience(Flavor::OpenBao, tokens.clone()).as_deref(), Some("openbao"));
    let mut asking = tokens;
    asking["audience"] = json!("my-aud");
    assert_eq!(audience(Flavor::Vault, asking.clone()).as_deref(), Some("my-aud"));
    asking["audience"] = json!("other");
    assert_eq!(audience(Flavor::Vault, asking), None);
    assert_eq!(audience(Flavor::Vault, json!({})), None);
}

#[test]
fn a_token_that_cannot_log_in_has_a_reason_of_its_own() {
    let reason = |tokens: Value| parse(passed(tokens)).unwrap_err().reason();
    assert_eq!(reason(json!({"vault": token("team-b", "web", 2000)})), Reason::TokenMismatch);
    assert_eq!(reason(json!({"vault": token("team-a", "web", 999)})), Reason::TokenExpired);
    assert_eq!(reason(json!({"vault": {"token": "x"}})), Reason::TokenMismatch);
    let both = parse_on(
        json!({"objects": OBJECTS, "csi.storage.k8s.io/serviceAccount.tokens": "canary"}),
        &defaults(Flavor::Vault),
    );
    assert_eq!(both.unwrap_err().reason(), Reason::SpecInvalid, "the class's mistakes come first");
}

#[test]
fn each_mistake_names_its_parameter_and_what_is_allowed() {
    let long = "x".repeat(64 * 1024 + 1);
    let cases = [
        (json!({"roleName": null}), "parameter roleName is missing or empty"),
        (json!({"roleName": ""}), "parameter roleName is missing or empty"),
        (json!({"objects": null}), "parameter objects is missing or empty: list the files"),
        (json!({"objects": "- a: [b"}), "parameter objects, line "),
        (
            json!({"objects": long.clone()}),
            "parameter objects is 65537 bytes long; at most 65536 are allowed",
        ),
        (json!({"audience": "https://kubernetes.default.svc"}), "add it to --allow-audience"),
        (
            json!({"vaultKubernetesMountPath": "", "vaultAuthMountPath": ""}),
            "parameters vaultKubernetesMountPath and vaultAuthMountPath have the same meaning",
        ),
        (
            json!({"vaultKubernetesMountPath": "a", "baoAuthMountPath": "a"}),
            "parameters vaultKubernetesMountPath and baoAuthMountPath have the same meaning",
        ),
        (json!({"vaultAuthMountPath": "../sys"}), "parameter vaultAuthMountPath must be a path without"),
        (json!({"vaultSkipTLSVerify": "yes"}), "parameter vaultSkipTLSVerify must be true or false"),
        (json!({"vaultSkipTLSVerify": ""}), "parameter vaultSkipTLSVerify must be true or false"),
        (
            json!({"vaultTLSClientCertPath": "/c"}),
            "parameter vaultTLSClientCertPath needs vaultTLSClientKeyPath too",
        ),
        (
            json!({"baoTLSClientKeyPath": "/k"}),
            "parameter baoTLSClientKeyPath needs baoTLSClientCertPath too",
        ),
        (
            json!({"vaultAddress": "vault:8200"}),
            "parameter vaultAddress: an address begins with http://, https:// or unix://",
        ),
        (
            json!({"vaultAddress": "https://u:canary@vault"}),
            "parameter vaultAddress: an address must not contain a user or a password",
        ),
        (json!({"vaultNamespace": "a\nb"}), "parameter vaultNamespace must not contain control characters"),
        (
            json!({"csi.storage.k8s.io/pod.uid": null}),
            "csi.storage.k8s.io/pod.uid is missing: set podInfoOnMount",
        ),
        (json!({"objects": "- {secretPath: a}"}), "object 1: objectName is missing or empty"),
        (json!({"objects": "- {objectName: x}"}), "object \"x\": secretPath is missing or empty"),
        (
            json!({"objects": "- {objectName: ../x, secretPath: a}"}),
            "object \"../x\": objectName has a part that is `.` or `..`",
        ),
        (
            json!({"objects": "- {objectName: x, secretPath: a/../b}"}),
            "object \"x\": secretPath contains a part `.` or `..`",
        ),
        (
            json!({"objects": "- {objectName: x, secretPath: a, secretKey: k, encoding: bas64}"}),
            "encoding \"bas64\" is unknown: use utf-8, base64 or hex: did you mean base64?",
        ),
        (
            json!({"objects": "- {objectName: x, kv: {mount: s, path: a}, filePermission: 01777}"}),
            "object \"x\": filePermission 1023 (octal 0o1777) is more than 0777",
        ),
        (
            json!({"objects": "- {objectName: x, secretPath: a, filePermission: '0600'}"}),
            "object \"x\", line 1, column 50: filePermission must be a number such as 0640, without quotes",
        ),
        (
            json!({"objects": "- {objectName: x, secretPath: a}\n- {objectName: x, secretPath: b}"}),
            "objectName \"x\" is used 2 times",
        ),
        (
            json!({"objects": "- {objectName: x, secretPath: a}\n- {objectName: x/y, secretPath: b}"}),
            "objectNames \"x\" and \"x/y\" cannot both be files",
        ),
        (
            json!({"objects": "- {objectName: x, secretPath: a}\n".repeat(1025)}),
            "lists 1025 objects; at most 1024 are allowed",
        ),
    ];
    for (more, expected) in cases {
        let message = message(more);
        assert!(message.starts_with("spec.invalid: ") && message.contains(expected), "{expected}\n{message}");
        assert!(!message.contains("canary") && message.len() <= 900, "{message}");
    }
}

#[test]
fn an_invalid_request_of_the_driver_is_reported_with_its_field() {
    let parse = |attributes: &str, secrets: &str, target_path: &str, permission: &str| {
        let call = MountCall { attributes, secrets, target_path, permission, published: &|| None };
        MountSpec::parse(&call, &defaults(Flavor::Vault)).unwrap_err().to_string()
    };
    for broken in [
        "",
        "null",
        "[]",
        "\"canary\"",
        "{\"canary\": 5}",
        "{\"a\": \"canary\"",
        "{} canary",
        "{\"a\": {\"canary\": \"\"}}",
    ] {
        let message = parse(broken, "", "/t", "420");
        assert!(
            message.starts_with("the request's attributes are not a JSON object of strings (line 1, column "),
            "{message}"
        );
        assert!(!message.contains("canary"), "{message}");
    }
    let large = format!("{{\"a\": \"{}\"}}", "x".repeat(512 * 1024));
    assert!(parse(&large, "", "/t", "420").contains("at most 524288 are allowed"));
    let whole = Value::Object(attributes(with(json!({})))).to_string();
    assert_eq!(parse(&whole, "", "", "420"), "the request's target_path is empty");
    assert_eq!(parse(&whole, "canary", "/t", "420"), "the request's secrets are not a JSON object");
    for permission in ["0644", "\"420\"", "512", "-1", "x"] {
        assert_eq!(
            parse(&whole, "", "/t", permission),
            "the request's permission is not a number from 0 to 511",
            "{permission}"
        );
    }
}

#[test]
fn all_mistakes_of_a_class_are_told_at_once() {
    let objects = "- {objectName: a, secretPath: p, secretKey: k, encoding: rot13}\n- {objectName: /b}\n- {kv: {mount: s, path: p}, filePermission: 01000}";
    let errors = parse(
        json!({"roleName": "", "vaultAddress": "x", "vaultSkipTLSVerify": "maybe", "objects": objects}),
    )
    .unwrap_err();
    assert_eq!(errors.problems().len(), 8, "{errors}");
    let many = (0..12).map(|at| format!("- {{objectName: o{at}}}\n")).collect::<String>();
    let message = message(json!({"objects": many}));
    assert!(
        message.contains("object \"o7\"")
            && !message.contains("object \"o8\"")
            && message.contains("; and 4 more"),
        "{message}"
    );
}

#[test]
fn unknown_words_warn_or_fail_and_name_the_nearest() {
    let class = json!({
        "vaultAdress": "x", "sidecar": "30s", "csi.storage.k8s.io/new.key": "x", "providerName": "vault",
        "objects": "- {objectname: y, objectName: x, secretPath: p, secretVersion: 1}",
    });
    let warnings = parse(class.clone()).unwrap().warnings;
    let expected = [
        "object \"x\": field \"objectname\" is unknown: did you mean objectName?",
        "object \"x\": field \"secretVersion\" is unknown: write `version` in `kv`, or `?version=N` at the end of secretPath",
        "parameter \"sidecar\" is unknown",
        "parameter \"vaultAdress\" is unknown: did you mean vaultAddress?",
    ];
    assert_eq!(warnings, expected);
    let strict = Defaults { unknown_fields: UnknownFields::Error, ..defaults(Flavor::Vault) };
    let errors = parse_on(with(class), &strict).unwrap_err();
    assert_eq!(errors.problems().iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
}

#[test]
fn an_encoding_without_a_key_is_ignored_with_a_warning() {
    let spec = parse(json!({"objects": "- {objectName: x, secretPath: p, encoding: rot13}\n- {objectName: y, secretPath: p, secretKey: k, encoding: HEX}"})).unwrap();
    assert_eq!(spec.warnings, ["object \"x\": encoding has an effect only with secretKey, and is ignored"]);
    let encodings = spec.objects.iter().map(|object| match &object.place {
        Placement::File(_, View::Value(selection)) => Some(selection.encoding),
        _ => None,
    });
    assert_eq!(encodings.collect::<Vec<_>>(), [None, Some(Encoding::Hex)]);
}

#[test]
fn a_mode_of_zero_is_the_requests_own() {
    let objects = "- {objectName: a, secretPath: p, filePermission: 0}\n- {objectName: b, secretPath: p, filePermission: 0o400}\n- {objectName: c, secretPath: p, filePermission: 0600}";
    let spec = parse(json!({"objects": objects})).unwrap();
    assert_eq!(spec.objects.iter().map(|object| object.mode).collect::<Vec<_>>(), [0o644, 0o400, 0o600]);
}

#[test]
fn two_certificates_of_one_path_are_two_calls() {
    let objects = "- {objectName: a, secretPath: pki/issue/r, method: PUT, secretArgs: {common_name: a}}\n- {objectName: b, secretPath: pki/issue/r, method: PUT, secretArgs: {common_name: b}}";
    let spec = parse(json!({"objects": objects})).unwrap();
    assert_ne!(spec.objects[0].sources(), spec.objects[1].sources());
}

#[test]
fn nothing_of_a_request_prints_its_secrets() {
    let more = json!({"objects": "- {objectName: a, secretPath: p, method: PUT, secretArgs: {password: canary}}",
        "csi.storage.k8s.io/serviceAccount.tokens": json!({"vault": token("team-a", "web", 2000), "aws": {"token": "canary"}}).to_string()});
    let spec = parse(more).unwrap();
    assert!(!format!("{spec:?}").contains("canary"));
}

#[test]
fn the_reference_has_every_parameter_and_field() {
    let reference = include_str!("../../../docs/reference.md");
    for name in entries::Entry::FIELDS {
        assert!(reference.contains(&format!("| `{name}`")), "{name}");
    }
}
