use serde_json::Value;

use super::*;
use crate::class::UnknownFields;
use crate::class::diagnostics::Diagnostics;
use crate::class::parameter_table::PARAMETERS;
use crate::spec::{
    Absent, Directory, EngineRequest, KeyForm, KeyPlace, KeyType, Keys, KvEngine, Object, Part, Placement,
    Pod, SelectorPath, StoreForm, View,
};

fn pod() -> Pod {
    Pod {
        namespace: "team-a".into(),
        name: "web-1".into(),
        uid: "0c5a".into(),
        service_account: "web".into(),
    }
}

/// The objects of `text`, or all that is wrong with it.
fn read(text: &str) -> Result<Vec<Object>, Vec<String>> {
    let (mut found, pod) = (Diagnostics::default(), pod());
    let context = ParseContext { pod: Some(&pod), ..ParseContext::default() };
    let with = Objects {
        access: Access { mode: 0o644, owner: None, group: None },
        context,
        unknown: UnknownFields::Warn,
    };
    let objects = objects(text, &with, &mut found);
    let messages =
        |errors: crate::class::SpecErrors| errors.problems().iter().map(ToString::to_string).collect();
    found.finish(Some(objects)).map(|(objects, _)| objects).map_err(messages)
}

fn view(text: &str) -> View {
    let mut objects = read(text).unwrap();
    match objects.remove(0).place {
        Placement::File(_, view) => view,
        Placement::Directory(directory) => panic!("{directory:?}"),
    }
}

#[test]
fn a_kv_source_needs_no_data_in_its_path() {
    let View::Value(selection) =
        view("- {objectName: pw, kv: {mount: secret/, path: /team-a/db, version: 3}, secretKey: password}")
    else {
        panic!()
    };
    let EngineRequest::Kv(kv) = &selection.source.request else { panic!() };
    assert_eq!(
        (kv.mount.as_str(), kv.path.as_str(), kv.version, kv.engine),
        ("secret", "team-a/db", Some(3), KvEngine::V2)
    );
    assert_eq!(
        (selection.source.to_string().as_str(), &selection.selector.path),
        ("secret/data/team-a/db", &SelectorPath::Key("password".into()))
    );
    let View::Document(source, ..) = view("- {objectName: all, kv: {mount: kv, path: a, engineVersion: 1}}")
    else {
        panic!()
    };
    assert_eq!(source.to_string(), "kv/a");
}

#[test]
fn keys_become_files_by_their_own_names_or_by_others() {
    let keys =
        |text: &str| match read(&format!("- {{directory: db, kv: {{mount: s, path: p}}, keys: {text}}}"))
            .unwrap()
            .remove(0)
            .place
        {
            Placement::Directory(Directory { keys, .. }) => keys,
            Placement::File(..) => panic!(),
        };
    let named = |pairs: &[(&str, &str)]| {
        Keys::Named(pairs.iter().map(|(key, path)| ((*key).into(), path.parse().unwrap())).collect())
    };
    assert_eq!(keys("\"*\""), Keys::All);
    assert_eq!(keys("[user, password]"), named(&[("user", "db/user"), ("password", "db/password")]));
    assert_eq!(keys("{user: login/name}"), named(&[("user", "db/login/name")]));
}

#[test]
fn a_certificate_is_one_source_with_many_files_and_its_names_may_be_the_pods() {
    let text = "
- pki:
    mount: etcd/prod/pki
    role: member
    commonName: ${POD_NAME}.${POD_NAMESPACE}.svc
    altNames: [etcd, '${SERVICE_ACCOUNT_NAME}']
    ipSans: 10.0.0.7, ::1
    uriSans: ['spiffe://x/${POD_UID}']
    ttl: 1d12h
    privateKey: node
    keyType: rsa-2048
  vaultNamespace: /team/
  files:
    - {objectName: tls.crt, part: certificateChain}
    - {objectName: tls.key, part: privateKey, keyFormat: pkcs1, filePermission: 0400, owner: 1000}
    - {objectName: store.jks, part: jks, password: {kv: {mount: s, path: p}, secretKey: pw}}
    - {objectName: trust.p12, part: truststore, alias: root, password: {secretPath: s/data/p, secretKey: pw}}
";
    let objects = read(text).unwrap();
    let sources: std::collections::HashSet<_> = objects.iter().map(|object| object.sources()[0]).collect();
    assert_eq!((objects.len(), sources.len()), (4, 1));
    let source = sources.into_iter().next().unwrap();
    let EngineRequest::Certificate(ask) = &source.request else { panic!() };
    assert_eq!((source.namespace.as_deref(), ask.common_name.as_str()), (Some("team"), "web-1.team-a.svc"));
    assert_eq!((&ask.alt_names[..], ask.ip_sans.len()), (&["etcd".to_owned(), "web".to_owned()][..], 2));
    assert_eq!((ask.uri_sans[0].as_str(), ask.key), ("spiffe://x/0c5a", KeyPlace::Node(KeyType::Rsa2048)));
    assert_eq!((objects[1].mode, objects[1].owner), (0o400, Some(1000)));
    let parts = objects.iter().map(|object| match &object.place {
        Placement::File(_, View::Part(_, part)) => part,
        other => panic!("{other:?}"),
    });
    let parts: Vec<_> = parts.collect();
    assert!(matches!(parts[..2], [Part::CertificateChain, Part::PrivateKey(KeyForm::Pkcs1)]));
    assert!(
        matches!(parts[2], Part::Keystore(store) if store.form == StoreForm::Jks && store.alias.as_str() == "certificate")
    );
    assert!(
        matches!(parts[3], Part::Truststore(store) if store.form == StoreForm::Pkcs12 && store.alias.as_str() == "root")
    );
}

#[test]
fn what_may_be_missing_says_what_stands_in_its_place() {
    let absent = |more: &str| {
        read(&format!("- {{objectName: a, kv: {{mount: s, path: p}}, secretKey: k, {more}}}"))
            .unwrap()
            .remove(0)
            .absent
    };
    assert!(matches!(absent("optional: true"), Absent::NoFile));
    assert!(matches!(absent("optional: false"), Absent::Fails));
    assert!(matches!(absent("default: 5432"), Absent::Default(text) if text.expose() == "5432"));
}

#[test]
fn the_peers_form_takes_our_fields_beside_it() {
    let View::Value(selection) =
        view("- {objectName: a, secretPath: secret/data/db, pointer: /primary/host}")
    else {
        panic!()
    };
    assert_eq!(selection.selector.path, SelectorPath::Pointer("/primary/host".into()));
    let objects = read(
        "- {secretPath: pki/issue/web, method: PUT, secretArgs: {common_name: a}, files: [{objectName: a, secretKey: certificate}, {objectName: b}]}",
    );
    let objects = objects.unwrap();
    assert_eq!(objects[0].sources(), objects[1].sources());
    assert!(matches!(objects[1].place, Placement::File(_, View::Response(_))));
}

/// What is written, and every problem that must be messages of it.
const WRONG: [(&str, &[&str]); 28] = [
    ("{objectName: a}", &["object \"a\": secretPath is missing or empty"]),
    ("{objectName: a, optional: true}", &["object \"a\": secretPath is missing or empty"]),
    (
        "{objectName: a, kv: {mount: s}, pki: {mount: p}}",
        &[
            "object \"a\": kv.path is missing: it is required",
            "object \"a\": pki.role is missing: it is required",
            "object \"a\": pki.commonName is missing: set a name for the certificate, here or in altNames, ipSans, uriSans",
            "object \"a\": has both kv and pki: remove one; several sources make one file by sources and template",
        ],
    ),
    (
        "{objectName: a, kv: {mount: s, path: p, vesion: 1}}",
        &["object \"a\": kv.vesion is unknown: did you mean version?"],
    ),
    ("{objectName: a, kv: {mount: s, path: p}, foo: 1}", &["object \"a\": field \"foo\" is unknown"]),
    (
        "{objectName: a, kv: {mount: s, path: p, version: new}}",
        &["object \"a\": kv.version must be a whole number, without quotes"],
    ),
    ("{objectName: a, kv: [s, p]}", &["object \"a\": kv must be a mapping of fields"]),
    (
        "{objectName: a, kv: {mount: s, path: ../p}}",
        &[
            "object \"a\": kv.path must be a path without empty parts, without . and .. and without control characters",
        ],
    ),
    (
        "{objectName: a, kv: {mount: s, path: p}, secretKey: k, pointer: /k}",
        &["object \"a\": has both secretKey and pointer"],
    ),
    (
        "{objectName: a, kv: {mount: s, path: p}, pointer: k}",
        &["object \"a\": pointer must be a JSON pointer: /primary/host"],
    ),
    (
        "{objectName: a, kv: {mount: s, path: p}, format: jsn}",
        &["object \"a\": format \"jsn\" is not one of json, yaml, toml, env, properties: did you mean json?"],
    ),
    (
        "{objectName: a, kv: {mount: s, path: p}, secretKey: k, format: json}",
        &["object \"a\": format must be without secretKey and pointer"],
    ),
    (
        "{objectName: a, kv: {mount: s, path: p}, part: ca}",
        &["object \"a\": part has an effect only with pki"],
    ),
    (
        "{objectName: a, directory: b, kv: {mount: s, path: p}}",
        &["object \"a\": has both objectName and directory"],
    ),
    (
        "{directory: b, kv: {mount: s, path: p}, keys: [../x]}",
        &["object 1: keys.../x has a part that is `.` or `..`"],
    ),
    (
        "{directory: b, kv: {mount: s, path: p}, default: x}",
        &["object 1: default has an effect only with objectName"],
    ),
    (
        "{objectName: a, pki: {mount: p, role: r, commonName: '${POD}'}, part: ca}",
        &["object \"a\": pki.commonName contains ${...} with another name than POD_NAME"],
    ),
    (
        "{objectName: a, pki: {mount: p, role: r, commonName: c, ttl: 1 day, keyType: ec-p256}, part: ca}",
        &["object \"a\": pki.ttl must be a duration"],
    ),
    (
        "{objectName: a, pki: {mount: p, role: r, commonName: c, notAfter: 2030-01-31, ttl: 1h}, part: ca}",
        &["object \"a\": pki has both ttl and notAfter"],
    ),
    (
        "{objectName: a, pki: {mount: p, ca: true}, part: privateKey}",
        &["object \"a\": part must be ca, issuingCa, chain or truststore"],
    ),
    ("{objectName: a, pki: {mount: p, role: r, commonName: c}}", &["object \"a\": part is missing"]),
    (
        "{objectName: a, pki: {mount: p, role: r, commonName: c}, part: pkcs12}",
        &["object \"a\": password is missing"],
    ),
    (
        "{objectName: a, pki: {mount: p, role: r, altNames: ['a,b']}, part: ca}",
        &["object \"a\": pki.altNames must be a list with one name in each member"],
    ),
    ("{objectName: a, transit: {key: k}}", &["object \"a\": transit.ciphertext is missing"]),
    (
        "{objectName: a, transit: {key: k, from: {kv: {mount: s, path: p}}}}",
        &["object \"a\": transit.from needs secretKey or pointer, which select one value"],
    ),
    (
        "{objectName: a, s5: {}, content: x, secretKey: k}",
        &["object \"a\": cannot have secretKey, pointer, from or format"],
    ),
    ("{objectName: a, template: x}", &["object \"a\": template has an effect only with sources"]),
    (
        "{objectName: a, template: x, sources: {a-b: {kv: {mount: s, path: p}}}}",
        &["object \"a\": sources.a-b must be letters, digits and _"],
    ),
];

#[test]
fn every_mistake_is_reported_with_its_field_and_the_allowed_values() {
    for (text, expected) in WRONG {
        let messages = read(&format!("- {text}")).expect_err(text);
        assert_eq!(messages.len(), expected.len(), "{text}: {messages:#?}");
        for (message, expected) in messages.iter().zip(expected) {
            assert!(message.starts_with(expected), "{text}\n{message}\n{expected}");
        }
    }
}

#[test]
fn a_message_shows_nothing_of_a_text_or_a_body() {
    let texts = [
        "{objectName: a, s5: {}, content: [canary]}",
        "{objectName: a, request: {path: p, args: canary}}",
        "{objectName: a, kv: {mount: s, path: p}, default: [canary]}",
        "{objectName: a, template: {canary: x}, sources: {a: {kv: {mount: s, path: p}}}}",
    ];
    for text in texts {
        let messages = read(&format!("- {text}")).expect_err(text);
        assert!(!messages.concat().contains("canary"), "{messages:?}");
    }
    let objects = read("- {objectName: a, s5: {}, content: canary}\n- {objectName: b, request: {path: p, args: {x: canary}}}").unwrap();
    assert!(!format!("{objects:?}").contains("canary"), "{objects:?}");
}

#[test]
fn the_schema_names_every_field_of_the_language() {
    let schema = schema();
    let items = schema["items"]["properties"].as_object().unwrap();
    for name in
        ["objectName", "secretPath", "kv", "pki", "transit", "s5", "request", "files", "template", "owner"]
    {
        assert!(items.contains_key(name), "{name}");
    }
    assert_eq!(items["kv"]["properties"]["version"]["type"], "integer");
    assert_eq!(schema["$defs"]["value"]["properties"]["kv"]["additionalProperties"], Value::Bool(false));
}

/// Writes `text` to `path` when the documents are being written anew, and gives what is there.
fn document(path: &str, text: &str) -> String {
    let path = format!("{}/docs/{path}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_reference_has_the_tables_of_the_fields() {
    const FROM: &str = "<!-- fields: written from src/class/schema/table.rs by `UPDATE_DOCS=1 cargo test --lib schema` -->\n";
    const TO: &str = "<!-- end of fields -->";
    let now = document_now();
    let (before, rest) = now.split_once(FROM).unwrap();
    let (_, after) = rest.split_once(TO).unwrap();
    let wanted = format!("{before}{FROM}{}{TO}{after}", reference());
    assert_eq!(document("reference.md", &wanted), wanted, "run `UPDATE_DOCS=1 cargo test --lib schema`");
}

fn document_now() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference.md")).unwrap()
}

#[test]
fn the_schema_for_editors_is_that_of_the_fields() {
    let wanted = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    assert_eq!(
        document("objects.schema.json", &wanted),
        wanted,
        "run `UPDATE_DOCS=1 cargo test --lib schema`"
    );
}

/// Every text of `objects: |` in `document`, without its indentation.
fn examples(document: &str) -> Vec<String> {
    let blocks = document.split("objects: |\n").skip(1).map(|rest| {
        let indent = rest.len() - rest.trim_start_matches(' ').len();
        let lines = rest.lines().take_while(|line| line.is_empty() || line.starts_with(&" ".repeat(indent)));
        lines.map(|line| line.get(indent..).unwrap_or_default().to_owned() + "\n").collect()
    });
    blocks.collect()
}

#[test]
fn every_example_of_the_documents_is_a_class() {
    let guides = [include_str!("../../../docs/classes.md"), include_str!("../../../docs/templates.md")];
    let deployed = [
        include_str!("../../../deploy/examples/certificate.yaml"),
        include_str!("../../../deploy/examples/template.yaml"),
        include_str!("../../../deploy/examples/s5.yaml"),
    ];
    let texts: Vec<_> = guides.into_iter().chain(deployed).flat_map(examples).collect();
    assert!(texts.len() >= 9, "{}", texts.len());
    for text in texts {
        assert!(read(&text).is_ok_and(|objects| !objects.is_empty()), "{text}{:?}", read(&text));
    }
}

#[test]
fn a_small_class_cannot_grow_large_before_anything_is_asked() {
    let long = "x".repeat(30_000);
    let names: String = (0..400).map(|_| "*l, ").collect();
    let texts = format!(
        "- {{objectName: f, pki: {{mount: p, role: r, altNames: [&a {long}, &l [*a, *a, *a, *a, *a], {names}]}}, part: ca}}"
    );
    let members: String = (0..9_000).map(|_| "*m, ").collect();
    let files = format!("- {{kv: {{mount: s, path: {long}}}, files: [&m {{objectName: a}}, {members}]}}");
    let sources: String = (0..1100).map(|name| format!("a{name}: *k, ")).collect();
    let sources = format!(
        "- {{objectName: f, template: x, sources: {{k: &k {{kv: {{mount: s, path: p}}}}, {sources}}}}}"
    );
    let store = "{kv: {mount: s, path: p}, secretKey: k}";
    let stores: String =
        (0..17).map(|name| format!("{{objectName: s{name}, part: jks, password: {store}}}, ")).collect();
    let stores = format!("- {{pki: {{mount: p, role: r, commonName: c}}, files: [{stores}]}}");
    for (text, expected) in [
        (texts, "1 MiB"),
        (files, "at most 1024"),
        (sources, "1101 sources; at most 1024"),
        (stores, "17 keystores; at most 16"),
    ] {
        let messages = read(&text).unwrap_err().concat();
        assert!(messages.contains(expected), "{expected}: {messages:.300}");
    }
}

/// Every field that the schema `of` has below `path`, with its words where it takes only some.
fn fields_of(path: &str, of: &Value) -> Vec<String> {
    let words = of["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let line = [format!("field {path}").as_str()].into_iter().chain(words).collect::<Vec<_>>().join(" ");
    let below =
        [&of["properties"], &of["items"]["properties"]].into_iter().filter_map(Value::as_object).flatten();
    let below = below.flat_map(|(name, schema)| fields_of(&format!("{path}.{name}"), schema));
    std::iter::once(line).chain(below).collect()
}

/// Names of `tests/golden/names-0.1.0.txt`: classes use them. A new one is added there by hand.
#[test]
fn parameters_keep_the_names_of_0_1_0() {
    let parameters = PARAMETERS.iter().map(|parameter| {
        // Of the type's messages what is between backticks.
        let words: Vec<_> = parameter.value_type.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        [vec!["parameter".to_owned()], parameter.names(), words].concat().join(" ")
    });
    crate::state::golden::is_named("parameter", parameters);
}

/// The same of the fields of objects.
#[test]
fn fields_keep_the_names_of_0_1_0() {
    let schema = schema();
    let fields =
        [fields_of("object", &schema["items"]), fields_of("value", &schema["$defs"]["value"])].concat();
    crate::state::golden::is_named("field", fields.into_iter());
}

#[test]
fn the_rare_fields_of_a_certificate_are_part_of_its_request() {
    let fields = "excludeCnFromSans: true, otherSans: ['1.3.6.1.4.1.311.20.2.3;UTF8:${POD_NAME}@x'], serialNumber: '7', notAfter: 2030-01-31T00:00:00Z, userIds: [a, b], issuer: eu, keyType: ec-p384";
    let pki = |fields: &str| {
        format!("- {{objectName: a, pki: {{mount: p, role: r, commonName: c, {fields}}}, part: ca}}")
    };
    let View::Part(source, _) = view(&pki(fields)) else { panic!() };
    let EngineRequest::Certificate(request) = source.request else { panic!() };
    let options = request.options;
    assert!(options.exclude_cn && request.key == KeyPlace::Vault);
    assert_eq!(options.other_sans, ["1.3.6.1.4.1.311.20.2.3;UTF8:web-1@x"]);
    assert_eq!((options.serial_number.as_deref(), options.issuer.as_deref()), (Some("7"), Some("eu")));
    assert_eq!(options.not_after.as_deref(), Some("2030-01-31T00:00:00Z"));
    assert_eq!(
        (&options.user_ids[..], options.key_type),
        (&["a".to_owned(), "b".into()][..], Some(KeyType::EcP384))
    );
    for (wrong, field) in [
        ("otherSans: web", "pki.otherSans"),
        ("notAfter: tomorrow", "pki.notAfter"),
        ("issuer: a/b", "pki.issuer"),
        ("issuer: ..", "pki.issuer"),
    ] {
        let problems = read(&pki(wrong)).unwrap_err();
        assert!(problems.len() == 1 && problems[0].contains(field), "{problems:?}");
    }
}
