use super::*;
use crate::spec::*;

fn day(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

fn sources(objects: &str) -> (MountSpec, Vec<Source>) {
    let spec = parse(json!({"objects": objects, "refresh": "1m"})).unwrap();
    let sources = spec.objects.iter().flat_map(|object| object.sources().into_iter().cloned()).collect();
    (spec, sources)
}

#[test]
fn a_class_without_settings_shares_its_logins_and_nothing_that_is_issued() {
    let spec = parse(json!({"login": "", "shareScope": "", "maxStale": "", "refresh": ""})).unwrap();
    assert_eq!((spec.login, spec.max_stale), (LoginScope::Shared, day(1)));
    let source = spec.objects[0].sources()[0];
    assert_eq!((source.share, spec.refreshes.of(source)), (ShareScope::Pod, Duration::from_secs(30)));
}

#[test]
fn a_class_chooses_who_logs_in_and_who_shares() {
    let spec = parse(json!({"login": "transient", "shareScope": "serviceaccount", "maxStale": "0"})).unwrap();
    assert_eq!((spec.login, spec.max_stale), (LoginScope::Transient, Duration::ZERO));
    assert_eq!(spec.objects[0].sources()[0].share, ShareScope::ServiceAccount);
    assert_eq!(parse(json!({"login": "pod"})).unwrap().login, LoginScope::Pod);
    for (more, expected) in [
        (json!({"login": "none"}), "parameter login must be shared, pod or transient"),
        (json!({"shareScope": "node"}), "parameter shareScope must be pod or serviceAccount"),
        (json!({"maxStale": "soon"}), "parameter maxStale must be a duration, such as 1h, 24h or 0s"),
        (
            json!({"objects": "- {objectName: x, secretPath: p, shareScope: pot}"}),
            "\"pot\" is not one of pod, serviceAccount: did you mean pod?",
        ),
        (
            json!({"objects": "- {objectName: x, kv: {mount: s, path: p}, refresh: [1]}"}),
            "refresh must be a duration, such as 30s, 5m or 0s",
        ),
    ] {
        assert!(message(more).contains(expected), "{expected}");
    }
}

#[test]
fn a_class_chooses_who_writes_its_files_and_ours_are_at_most_a_minute_old() {
    let owned = "- {objectName: a, secretPath: p, filePermission: 0400, owner: 1000}\n- {objectName: b, secretPath: q, refresh: 5s}";
    let ours = parse(json!({"writer": "provider", "objects": owned})).unwrap();
    let seconds = |spec: &MountSpec| {
        spec.objects.iter().map(|object| spec.refreshes.of(object.sources()[0]).as_secs()).collect::<Vec<_>>()
    };
    assert_eq!(
        (ours.written_by, seconds(&ours), ours.refreshes.shortest().as_secs()),
        (VolumeWriter::Provider, vec![60, 5], 5)
    );
    assert_eq!(ours.warnings, [""; 0]);
    let drivers = parse(json!({"objects": owned})).unwrap();
    assert_eq!((drivers.written_by, seconds(&drivers)), (VolumeWriter::Driver, vec![30, 5]));
    assert!(drivers.warnings[0].contains("set `writer: provider` to use them"), "{:?}", drivers.warnings);
    let all = Defaults { written_by: VolumeWriter::Provider, ..defaults(Flavor::Vault) };
    let written = |more: Value| parse_on(with(more), &all).unwrap().written_by;
    assert_eq!(
        (written(json!({})), written(json!({"writer": "driver"}))),
        (VolumeWriter::Provider, VolumeWriter::Driver)
    );
    assert!(message(json!({"writer": "root"})).contains("parameter writer must be driver or provider"));
}

#[test]
fn the_number_that_means_no_id_is_not_an_owner() {
    let object = |owner: u64| json!({"objects": format!("- {{objectName: a, kv: {{mount: s, path: p}}, owner: {owner}}}")});
    assert_eq!(parse(object(4_294_967_294)).unwrap().objects[0].owner, Some(u32::MAX - 1));
    assert!(message(object(4_294_967_295)).contains("below 4294967295, which means no id"));
    assert!(message(json!({"group": "4294967295"})).contains("parameter group must be a number"));
}

#[test]
fn a_volume_is_asked_for_once_more_by_what_is_remembered_of_it() {
    let asked = parse(json!({"refresh": "7s", "vaultNamespace": "n", "secretArgs": null})).unwrap();
    let stored = serde_json::to_string(&asked.published).unwrap();
    assert!(!stored.contains("serviceAccount.tokens"), "{stored}");
    let published: RememberedRequest = serde_json::from_str(&stored).unwrap();
    let again =
        MountSpec::from_remembered(&published, &asked.pod, &asked.target_path, &defaults(Flavor::Vault))
            .unwrap();
    assert_eq!(
        (&again.pod, &again.class, &again.server, &again.auth),
        (&asked.pod, &asked.class, &asked.server, &asked.auth)
    );
    assert_eq!(
        (again.parameters, again.objects[0].mode, again.token.is_none()),
        (asked.parameters, asked.objects[0].mode, true)
    );
    assert!(again.published == asked.published);
}

#[test]
fn a_class_gets_no_older_content_than_the_operator_allows() {
    let spec = parse(json!({"maxStale": "2d"})).unwrap();
    assert_eq!(spec.max_stale, day(1));
    assert_eq!(
        spec.warnings,
        ["parameter maxStale is more than --max-stale allows: vaultmount uses 86400 s"]
    );
    let short = Defaults { max_stale: Duration::from_secs(60), ..defaults(Flavor::Vault) };
    assert_eq!(
        parse_on(with(json!({})), &short).unwrap().max_stale,
        Duration::from_secs(60),
        "what a class leaves out is bounded too"
    );
}

#[test]
fn a_source_that_objects_want_at_several_ages_is_as_fresh_as_the_strictest_wants() {
    let objects = "
- {objectName: a, secretPath: p, refresh: 5m}
- {objectName: b, secretPath: p, refresh: 10}
- {objectName: c, secretPath: q, refresh: 5m}
- {objectName: d, secretPath: q}
- {objectName: e, kv: {mount: s, path: r}, refresh: 5m}
- {objectName: f, template: x, sources: {r: {kv: {mount: s, path: t}, refresh: 0s}}}
";
    let (spec, sources) = sources(objects);
    let seconds: Vec<_> = sources.iter().map(|source| spec.refreshes.of(source).as_secs()).collect();
    assert_eq!(seconds, [10, 10, 60, 60, 300, 0]);
    assert_eq!(sources[0], sources[1], "how old it may be does not make another call of it");
}

#[test]
fn a_certificate_of_ones_own_is_another_than_a_shared_one() {
    let pki = "pki: {mount: p, role: r, commonName: c}, part: bundle";
    let kv = "kv: {mount: s, path: p}";
    let share = "shareScope: serviceAccount";
    let (_, sources) = sources(&format!(
        "- {{objectName: a, {pki}}}\n- {{objectName: b, {pki}, {share}}}\n- {{objectName: c, {kv}}}\n- {{objectName: d, {kv}, {share}}}"
    ));
    assert_ne!(sources[0], sources[1]);
    assert_eq!((sources[0].share, sources[1].share), (ShareScope::Pod, ShareScope::ServiceAccount));
    assert_eq!(sources[2], sources[3], "what makes nothing stays one read");
}

#[test]
fn two_classes_are_told_apart_by_their_parameters_and_by_nothing_of_the_pod() {
    let digest = |more: Value| parse(more).unwrap().parameters;
    let plain = digest(json!({}));
    let elsewhere = json!({"secretProviderClass": "other", "csi.storage.k8s.io/ephemeral": null, "csi.storage.k8s.io/pod.uid": "ff"});
    assert_eq!(plain, digest(elsewhere));
    assert_eq!(
        plain,
        digest(passed(json!({"vault": token("team-a", "web", 2000)}))),
        "a token is renewed, the class is not"
    );
    assert_ne!(plain, digest(json!({"roleName": "other"})));
    assert_ne!(
        digest(json!({"vaultNamespace": "ab"})),
        digest(json!({"vaultNamespace": "a", "b": ""})),
        "no value runs into the next name"
    );
}

#[test]
fn a_token_tells_its_end_and_the_uid_of_its_account() {
    let claims = json!({"sub": "system:serviceaccount:team-a:web", "exp": 2000, "kubernetes.io": {"serviceaccount": {"name": "web", "uid": "5a"}}});
    let jwt = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let passed = parse(passed(json!({"vault": {"token": jwt}}))).unwrap().token.unwrap();
    for token in [passed, PodToken::issued(jwt.into(), "vault".into())] {
        assert_eq!(
            (token.account_uid.as_deref(), token.expires),
            (Some("5a"), Some(UNIX_EPOCH + Duration::from_secs(2000)))
        );
    }
    let opaque = PodToken::issued("opaque".into(), "vault".into());
    assert_eq!((opaque.account_uid, opaque.expires), (None, None));
}

#[test]
fn what_a_sealed_record_holds_comes_back_equal() {
    let objects = "
- {objectName: a, secretPath: 'p?x=1', method: PUT, secretArgs: {password: canary}, vaultNamespace: n}
- {objectName: b, kv: {mount: s, path: r, version: 3}, pointer: /a}
- {objectName: c, pki: {mount: p, role: r, commonName: c, ipSans: [10.0.0.7], privateKey: node}, part: privateKey, shareScope: serviceAccount}
- {objectName: d, pki: {mount: p, ca: true}, part: ca}
- {objectName: e, transit: {key: k, from: {kv: {mount: s, path: t, engineVersion: 1}, secretKey: v, encoding: hex}}}
- {objectName: f, s5: {}, content: canary}
";
    let (spec, sources) = sources(objects);
    let stored = serde_json::to_string(&sources).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Source>>(&stored).unwrap(), sources);
    for address in ["https://vault/prefix/", "unix:///run/agent.sock"] {
        let server = ServerSpec { address: address.parse().unwrap(), ..spec.server.clone() };
        let whole = (&server, &spec.auth, &spec.pod);
        let stored = serde_json::to_string(&whole).unwrap();
        let (back, auth, pod): (ServerSpec, AuthSpec, Pod) = serde_json::from_str(&stored).unwrap();
        assert_eq!((&back, &auth, &pod), whole);
    }
}

#[test]
fn an_operator_sets_the_refresh_of_classes_without_one_and_a_floor_for_all() {
    let objects = "- {objectName: a, secretPath: p}\n- {objectName: b, secretPath: q, refresh: 1s}\n- {objectName: c, secretPath: r, refresh: 0s}";
    let bounded = Defaults {
        refresh: Some(Duration::from_secs(600)),
        min_refresh: Duration::from_secs(20),
        ..defaults(Flavor::Vault)
    };
    let on = |more: Value| parse_on(with(more), &bounded).unwrap();
    let seconds = |spec: &MountSpec| {
        spec.objects.iter().map(|object| spec.refreshes.of(object.sources()[0]).as_secs()).collect::<Vec<_>>()
    };
    for writer in ["driver", "provider"] {
        let spec = on(json!({"writer": writer, "objects": objects}));
        assert_eq!(
            (seconds(&spec), spec.refreshes.shortest().as_secs()),
            (vec![600, 20, 20], 20),
            "{writer}"
        );
        assert_eq!(
            spec.warnings,
            ["refresh is less than --min-refresh allows: vaultmount uses 20 s"],
            "once"
        );
    }
    let class = on(json!({"refresh": "5s", "writer": "provider"}));
    assert_eq!((seconds(&class), class.warnings.len()), (vec![20], 1));
    assert_eq!(seconds(&on(json!({"refresh": "1h"}))), [3600], "a class may choose more");
    assert_eq!(on(json!({})).warnings, [""; 0]);
    let low = Defaults { min_refresh: Duration::from_secs(90), ..defaults(Flavor::Vault) };
    let spec = parse_on(with(json!({})), &low).unwrap();
    assert_eq!((seconds(&spec), spec.warnings.len()), (vec![90], 0), "a default is raised without a warning");
}

#[test]
fn a_default_refresh_is_not_one_that_the_class_has_chosen() {
    let explicit = |more: Value| {
        let spec = parse(more).unwrap();
        spec.refreshes.is_explicit(spec.objects[0].sources()[0])
    };
    assert!(!explicit(json!({})));
    assert!(explicit(json!({"refresh": "30s"})));
    assert!(explicit(json!({"objects": "- {objectName: a, secretPath: p, refresh: 30s}"})));
}
