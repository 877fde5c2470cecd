//! What people write by mistake, and the words that the message must contain. `docs/common-mistakes.md` shows the same table.

use super::*;

/// An object or a list of objects, and words of the message.
const OBJECTS_OF_CLASSES: &[(&str, &[&str])] = &[
    // Words of other tools.
    ("- {objectName: a, secretPath: p, key: k, kv: {mount: m, path: p}}", &["\"key\"", "use secretKey"]),
    ("- {objectName: a, kv: {mount: m, path: p}, property: password}", &["\"property\"", "use secretKey"]),
    ("- {objectName: a, kv: {mount: m, path: p}, field: password}", &["\"field\"", "use secretKey"]),
    ("- {objectName: a, kv: {mount: m, path: p}, jmesPath: [{path: a}]}", &["\"jmesPath\"", "pointer"]),
    ("- {name: a, kv: {mount: m, path: p}}", &["\"name\"", "use objectName"]),
    ("- {fileName: a, kv: {mount: m, path: p}}", &["\"fileName\"", "use objectName"]),
    ("- {objectName: x, objectAlias: a, kv: {mount: m, path: p}}", &["\"objectAlias\"", "use objectName"]),
    ("- {objectName: a, kv: {mount: m, path: p}, mode: 0400}", &["\"mode\"", "use filePermission"]),
    (
        "- {objectName: a, kv: {mount: m, path: p}, defaultMode: 420}",
        &["\"defaultMode\"", "use filePermission"],
    ),
    (
        "- {objectName: a, kv: {mount: m, path: p}, permissions: 0400}",
        &["\"permissions\"", "use filePermission"],
    ),
    ("- {objectName: a, kv: {mount: m, path: p}, fsGroup: 1000}", &["\"fsGroup\"", "use group"]),
    ("- {objectName: a, kv: {mount: m, path: p}, runAsUser: 1000}", &["\"runAsUser\"", "use owner"]),
    ("- {objectName: a, objectPath: secret/data/db}", &["\"objectPath\"", "use secretPath"]),
    ("- {objectName: a, resourceName: projects/x}", &["\"resourceName\"", "use secretPath"]),
    ("- {objectName: a, remoteRef: {key: db, property: user}}", &["\"remoteRef\"", "use secretPath"]),
    (
        "- {objectName: a, kv: {mount: m, path: p}, objectType: secret}",
        &["\"objectType\"", "kv, pki, transit, s5"],
    ),
    (
        "- {objectName: a, kv: {mount: m, path: p}, objectVersion: 2}",
        &["\"objectVersion\"", "`version` in `kv`"],
    ),
    (
        "- {objectName: a, kv: {mount: m, path: p}, refreshInterval: 1h}",
        &["\"refreshInterval\"", "use refresh"],
    ),
    (
        "- {objectName: a, kv: {mount: m, path: p}, decodingStrategy: Base64}",
        &["\"decodingStrategy\"", "use encoding"],
    ),
    ("- {objectName: a, database: {role: app}}", &["\"database\"", "database/creds"]),
    (
        "- {objectName: a, pki: {mount: p, role: r, commonName: c}, part: ca, dnsNames: [a]}",
        &["\"dnsNames\"", "altNames in `pki`"],
    ),
    (
        "- {objectName: a, pki: {mount: p, role: r, dnsNames: [a]}, part: ca}",
        &["pki.dnsNames", "use altNames"],
    ),
    ("- {objectName: a, pki: {mount: p, role: r, cn: a}, part: ca}", &["pki.cn", "use commonName"]),
    (
        "- {objectName: a, pki: {mount: p, role: r, commonName: a, duration: 24h}, part: ca}",
        &["pki.duration", "use ttl"],
    ),
    (
        "- {objectName: a, pki: {mount: p, role: r, commonName: a, renewBefore: 24h}, part: ca}",
        &["pki.renewBefore", "70 %"],
    ),
    ("- {objectName: a, kv: {backend: m, path: p}}", &["kv.backend", "use mount"]),
    ("- {objectName: a, kv: {mount: m, secretPath: p}}", &["kv.secretPath", "use path"]),
    ("- {objectName: a, kv: {mount: m, path: p, key: k}}", &["kv.key", "secretKey, beside `kv`"]),
    (
        "- {objectName: a, kv: {mount: m, path: p}, ignoreMissing: true}",
        &["\"ignoreMissing\"", "optional: true"],
    ),
    ("- {objectName: a, kv: {mount: m, path: p}, keystore: p12}", &["\"keystore\"", "part: pkcs12"]),
    ("- {objectName: a, request: {url: p}}", &["request.url", "use path"]),
    ("- {objectName: a, request: {path: p, body: {a: b}}}", &["request.body", "use args"]),
    ("- {objectName: a, transit: {keyName: k, ciphertext: c}}", &["transit.keyName", "use key"]),
    ("- {objectName: a, kv: {mount: m, path: p}, data: x}", &["\"data\"", "template"]),
    ("- {objectName: a, kv: {mount: m, path: p}, command: reload}", &["\"command\"", "runs no command"]),
    ("- {objectName: a, kvv2: {mount: m, path: p}}", &["\"kvv2\"", "use kv"]),
    // Fields in the wrong place.
    ("- {objectName: a, kv: {mount: m, path: p}, version: 2}", &["\"version\"", "`kv`", "?version="]),
    ("- {objectName: a, kv: {mount: m, path: p}, engineVersion: 1}", &["\"engineVersion\"", "in `kv`"]),
    ("- {objectName: a, kv: {mount: m, path: p}, mount: m}", &["\"mount\"", "in `kv` or `pki`"]),
    ("- {objectName: a, kv: {mount: m, path: p}, commonName: c}", &["\"commonName\"", "in `pki`"]),
    ("- {objectName: a, kv: {mount: m, path: p}, roleName: app}", &["\"roleName\"", "class's parameters"]),
    (
        "- {objectName: a, kv: {mount: m, path: p}, vaultAddress: x}",
        &["\"vaultAddress\"", "class's parameters"],
    ),
    ("- {objectName: a, kv: {mount: m, path: p}, audience: x}", &["\"audience\"", "class's parameters"]),
    ("- {objectName: a, kv: {mount: m, path: p}, maxStale: 1h}", &["\"maxStale\"", "class's parameters"]),
    ("- {objectName: a, kv: {mount: m, path: p, secretKey: k}}", &["kv.secretKey", "beside `kv`"]),
    ("- {objectName: a, kv: {mount: m, path: p, format: json}}", &["kv.format", "beside `kv`"]),
    ("- {objectName: a, kv: {mount: m, path: p, vaultNamespace: n}}", &["kv.vaultNamespace", "beside `kv`"]),
    ("- {objectName: a, kv: {mount: m, path: p, role: r}}", &["kv.role", "in `pki`"]),
    (
        "- {objectName: a, pki: {mount: p, role: r, commonName: c, part: ca}, part: ca}",
        &["pki.part", "beside `pki`"],
    ),
    (
        "- {objectName: a, template: x, sources: {db: {kv: {mount: m, path: p}, format: json}}}",
        &["sources.db.format", "object itself"],
    ),
    ("- {objectName: a, kv: {mount: m, path: p}, secretObjects: []}", &["\"secretObjects\"", "class's spec"]),
    // Spelling and case.
    ("- {objectname: a, kv: {mount: m, path: p}}", &["\"objectname\"", "did you mean objectName?"]),
    ("- {object_name: a, kv: {mount: m, path: p}}", &["\"object_name\"", "did you mean objectName?"]),
    (
        "- {objectName: a, kv: {mount: m, path: p}, secretkey: k}",
        &["\"secretkey\"", "did you mean secretKey?"],
    ),
    ("- {objectName: a, kv: {mount: m, path: p}, filepermission: 0400}", &["did you mean filePermission?"]),
    ("- {objectName: a, kv: {mount: m, pth: p}}", &["kv.pth", "did you mean path?"]),
    ("- {objectName: a, kv: {mount: m, path: p}, ponter: /a}", &["\"ponter\"", "did you mean pointer?"]),
    ("- {objectName: a, kv: {mount: m, path: p}, format: yml}", &["\"yml\"", "did you mean yaml?"]),
    // Modes.
    (
        "- {objectName: a, kv: {mount: m, path: p}, filePermission: 400}",
        &["filePermission 400", "0620", "0400"],
    ),
    (
        "- {objectName: a, kv: {mount: m, path: p}, filePermission: 440}",
        &["filePermission 440", "0670", "0440"],
    ),
    ("- {objectName: a, kv: {mount: m, path: p}, filePermission: 600}", &["filePermission 600", "0600"]),
    ("- {objectName: a, kv: {mount: m, path: p}, filePermission: 644}", &["filePermission 644", "0644"]),
    (
        "- {kv: {mount: m, path: p}, files: [{objectName: a, filePermission: 640}]}",
        &["files[0].filePermission 640", "0640"],
    ),
    (
        "- {objectName: a, kv: {mount: m, path: p}, filePermission: '0400'}",
        &["\"a\", line 1", "without quotes"],
    ),
    // YAML.
    ("- objectName: a\n\tkv: {mount: m, path: p}", &["line 2", "tab"]),
    ("- objectName: a\n  kv:\n\t  mount: m\n\t  path: p", &["line 3", "tab"]),
    (
        "- objectName: a\n  template: {{ db.user }}\n  sources: {db: {kv: {mount: m, path: p}}}",
        &["line 2", "quotes", "`|`"],
    ),
    ("- objectName: a\n  template: {{ db.user }}:{{ db.password }}\n", &["line 2", "quotes"]),
    ("- objectName: a\n  template: {% if x %}a{% endif %}\n", &["line 2", "quotes"]),
    ("- objectName: a\n  template:\n    user = x\n    password: y\n  sources: {}", &["line", "template: |"]),
    ("- objectName: a\n  template: user: {{ db.user }}\n    password: x\n", &["line 2"]),
    ("- objectName:a\n  kv: {mount: m, path: p}", &["space after it"]),
    ("- objectName: a\n  secretPath:secret/data/x\n  secretKey: k", &["space after it"]),
    ("- objectName = a\n  kv: {mount: m, path: p}", &["colon", "not with ="]),
    ("- objectName: a\n  secretKey: @password\n", &["line 2", "in quotes"]),
];

/// Parameters of a class beside its role and objects.
const PARAMETERS_OF_CLASSES: &[(&str, &[&str])] = &[
    ("authPath", &["\"authPath\"", "use vaultAuthMountPath"]),
    ("vaultAuthPath", &["use vaultAuthMountPath"]),
    ("authMount", &["use vaultAuthMountPath"]),
    ("role", &["use roleName"]),
    ("vaultRole", &["use roleName"]),
    ("namespace", &["did you mean vaultNamespace?"]),
    ("address", &["did you mean vaultAddress?"]),
    ("vaultAddr", &["use vaultAddress"]),
    ("vaultUrl", &["use vaultAddress"]),
    ("caCert", &["use vaultCACertPath"]),
    ("tlsSkipVerify", &["use vaultSkipTLSVerify"]),
    ("rotationPollInterval", &["use refresh"]),
    ("secrets", &["use objects"]),
    ("object", &["use objects"]),
    ("secretObjects", &["class's spec"]),
    ("secretPath", &["write secretPath in an object"]),
    ("objectName", &["write objectName in an object"]),
    ("engineVersion", &["engineVersion in `kv` of an object"]),
    ("keyvaultName", &["Azure"]),
    ("region", &["AWS"]),
    ("serviceAccountName", &["own service account"]),
    ("vaultaddress", &["did you mean vaultAddress?"]),
    ("roleNam", &["did you mean roleName?"]),
];

fn message_of_objects(objects: &str) -> String {
    match parse(json!({"objects": objects})) {
        Err(errors) => errors.to_string(),
        Ok(spec) => panic!("{objects}: no mistake, {:?}", spec.warnings),
    }
}

fn message_of_parameter(name: &str) -> String {
    let strict = Defaults { unknown_fields: UnknownFields::Error, ..defaults(Flavor::Vault) };
    parse_on(with(json!({name: "c4nary"})), &strict).unwrap_err().to_string()
}

#[test]
fn a_word_of_another_tool_or_in_the_wrong_place_is_named_with_the_right_one() {
    let mut vague = Vec::new();
    let classes = OBJECTS_OF_CLASSES.iter().map(|(text, words)| (text, message_of_objects(text), words));
    let parameters =
        PARAMETERS_OF_CLASSES.iter().map(|(name, words)| (name, message_of_parameter(name), words));
    for (text, message, words) in classes.chain(parameters) {
        if !words.iter().all(|word| message.contains(word)) || message.contains("c4nary") {
            vague.push(format!("{text}\n  {message}\n  {words:?}"));
        }
    }
    assert!(vague.is_empty(), "{}", vague.join("\n"));
}

/// The page of the documentation: what is written, and the message.
fn page() -> String {
    let row = |written: &str, message: &str| {
        let written = written.replace('\n', "⏎").replace('\t', "⇥").replace('|', "\\|");
        format!("| `{written}` | {} |\n", message.replace('|', "\\|").replace('<', "&lt;"))
    };
    let mut page = String::from(
        "# Common mistakes\n\nWhat people write in a class, and what vaultmount reports. `UPDATE_DOCS=1 cargo test --lib common_mistakes` writes this page.\n\n\
        ## Objects\n\n`⏎` is a line feed, `⇥` a tab.\n\n| written | message |\n| --- | --- |\n",
    );
    OBJECTS_OF_CLASSES.iter().for_each(|(text, _)| page += &row(text, &message_of_objects(text)));
    page += "\n## Parameters\n\nA warning, or an error with `--unknown-fields=error`.\n\n| written | message |\n| --- | --- |\n";
    PARAMETERS_OF_CLASSES.iter().for_each(|(name, _)| page += &row(name, &message_of_parameter(name)));
    page
}

#[test]
fn the_page_of_common_mistakes_shows_the_messages() {
    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/common-mistakes.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PAGE, page()).unwrap();
    }
    let written = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert_eq!(written, page(), "run `UPDATE_DOCS=1 cargo test --lib common_mistakes`");
}

#[test]
fn a_quoted_mode_hides_no_other_mistake() {
    let objects = "
- {objectName: a, kv: {mount: m, path: p}, filePermission: '0400', mode: 1}
- {objectName: b, kv: {mount: m, pth: p}}
- {objectName: c, kv: {mount: m, path: p}, format: yml}
- {objectName: d, secretPath: [p]}
- c4nary";
    let message = message_of_objects(objects);
    for words in [
        "\"a\", line 2",
        "use filePermission",
        "did you mean path?",
        "did you mean yaml?",
        "\"d\", line 5",
        "line 6",
    ] {
        assert!(message.contains(words), "{words}: {message}");
    }
    assert!(!message.contains("c4nary") && !message.contains("secretPath is missing"), "{message}");
}

#[test]
fn the_names_of_the_sockets_own_provider_are_suggested() {
    let strict = Defaults { unknown_fields: UnknownFields::Error, ..defaults(Flavor::OpenBao) };
    for (name, right) in
        [("namespace", "baoNamespace"), ("authPath", "baoAuthMountPath"), ("adress", "baoAddress")]
    {
        let message = parse_on(with(json!({name: "x"})), &strict).unwrap_err().to_string();
        assert!(message.contains(right), "{message}");
    }
}

#[test]
fn a_decimal_mode_in_the_form_of_the_upstream_providers_is_a_warning_with_both_readings() {
    for (number, mode, words) in
        [(400, 0o620, "0400"), (440, 0o670, "0440"), (600, 0o130, "0600"), (1777, 0o361, "0777")]
    {
        let object = format!("- {{objectName: a, secretPath: p, filePermission: {number}}}");
        let spec = parse(json!({"objects": object})).unwrap();
        assert_eq!(spec.objects[0].mode, mode, "{number}");
        let warning = spec.warnings.concat();
        assert!(warning.contains(&format!("0{mode:03o}")) && warning.contains(words), "{warning}");
    }
    for number in ["420", "0400", "0o400", "256", "511"] {
        let object = format!("- {{objectName: a, secretPath: p, filePermission: {number}}}");
        assert_eq!(parse(json!({"objects": object})).unwrap().warnings, [""; 0], "{number}");
    }
}

#[test]
fn a_field_that_the_upstream_provider_ignores_is_ignored_in_its_form_with_a_warning() {
    for stray in [
        "content: text",
        "refresh: bad",
        "format: pem",
        "owner: team-a",
        "alias: x",
        "part: cert",
        "password: c4nary",
        "keys: [a]",
        "optional: maybe",
        "content: text, foo: 1",
        "content: text, refresh: never, owner: 1000",
    ] {
        let object = format!("- {{objectName: a, secretPath: secret/data/db, secretKey: k, {stray}}}");
        let spec = parse(json!({"objects": object})).unwrap_or_else(|error| panic!("{stray}: {error}"));
        let (field, _) = stray.split_once(':').unwrap();
        let warnings = spec.warnings.join("\n");
        assert!(
            warnings.contains(field) && warnings.contains("ignored") && !warnings.contains("c4nary"),
            "{warnings}"
        );
        assert_eq!(spec.objects[0].sources()[0].to_string(), "secret/data/db");
        let strict = Defaults { unknown_fields: UnknownFields::Error, ..defaults(Flavor::Vault) };
        assert!(parse_on(with(json!({"objects": object})), &strict).is_err(), "{stray}");
    }
}

#[test]
fn a_class_without_secrets_is_an_empty_volume_with_a_warning() {
    for objects in ["[]", "", "null", "# none yet\n", "---\n"] {
        let spec = parse(json!({"objects": objects})).unwrap_or_else(|error| panic!("{objects}: {error}"));
        assert!(spec.objects.is_empty() && spec.warnings.concat().contains("lists no object"), "{objects}");
    }
    assert!(message(json!({"objects": null})).contains("parameter objects is missing"));
}
