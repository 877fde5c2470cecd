//! The files of the certificate module, read by OpenSSL and Java's keytool.

mod pki; // a root, a CA and what they sign

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::certificate::{Authorities, Identity, Issued, NodeKey};
use crate::secret::Secret;
use crate::spec::{Alias, KeyForm, KeyType, StoreForm};
use pki::{Pki, ask, genpkey, keytool, openssl};

const PASSWORD: &str = "change it, \"please\"";

fn ec_key(curve: &str) -> String {
    genpkey(&["-algorithm", "EC", "-pkeyopt", &format!("ec_paramgen_curve:{curve}")])
}

fn text(secret: &Secret) -> &str {
    secret.expose_text().unwrap()
}

fn alias(name: &str) -> Alias {
    name.parse().unwrap()
}

fn password() -> Secret {
    Secret::from(PASSWORD)
}

#[test]
fn openssl_reads_requests_of_every_kind_of_key_and_signs_them() {
    let pki = Pki::new();
    for kind in [
        KeyType::Rsa2048,
        KeyType::Rsa3072,
        KeyType::Rsa4096,
        KeyType::EcP256,
        KeyType::EcP384,
        KeyType::Ed25519,
    ] {
        let key = NodeKey::generate(kind).unwrap();
        let request = key.csr(&ask()).unwrap();
        let read = openssl(&["req", "-verify", "-noout", "-text"], &request);
        for name in [
            "CN = web.example",
            "DNS:*.web.example",
            "email:ops@example",
            "IP Address:FD00:0:0:0:0:0:0:7",
            "URI:spiffe://example/web",
        ] {
            assert!(read.contains(name), "{kind:?}: {name} in {read}");
        }
        let identity = pki.identity(&pki.sign("low", &request), None, Some(key));
        let own = identity.private_key(KeyForm::Pkcs8).unwrap();
        openssl(&["pkey", "-check", "-noout"], text(&own));
        let certified = openssl(&["x509", "-noout", "-pubkey"], &identity.certificate().unwrap());
        assert_eq!(openssl(&["pkey", "-pubout"], text(&own)), certified, "{kind:?}");
    }
}

#[test]
fn openssl_trusts_the_chain_by_the_ca() {
    let pki = Pki::new();
    let identity = pki.sign_node_key(KeyType::EcP256);
    let authorities = identity.authorities();
    let ca = pki.write("ca.crt", authorities.ca().unwrap().as_bytes());
    let sent = pki.write("tls.crt", identity.certificate_chain().unwrap().as_bytes());
    assert!(openssl(&["verify", "-CAfile", &ca, "-untrusted", &sent, &sent], "").contains("OK"));
    let names = |pem: &str| {
        openssl(&["storeutl", "-noout", "-text", "-certs", &pki.write("names", pem.as_bytes())], "")
            .matches("Subject: CN")
            .count()
    };
    let counts = [
        identity.certificate_chain(),
        identity.full_chain(),
        authorities.chain(),
        authorities.issuing_ca(),
        authorities.ca(),
    ];
    assert_eq!(counts.map(|pem| names(&pem.unwrap())), [2, 3, 2, 1, 1]);
    let mount = Authorities::new(&[&(pki.read("root.pem") + &pki.read("low.pem"))]).unwrap();
    assert_eq!(mount.chain(), authorities.chain());
}

#[test]
fn keys_that_issue_answers_with_are_written_in_every_form_that_they_have() {
    let pki = Pki::new();
    let rsa = genpkey(&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]);
    let keys = [(rsa, Some(KeyForm::Pkcs1)), (genpkey(&["-algorithm", "ED25519"]), None)];
    let keys = keys
        .into_iter()
        .chain(["P-224", "P-256", "P-384", "P-521"].map(|curve| (ec_key(curve), Some(KeyForm::Sec1))));
    for (pkcs8, form) in keys {
        let traditional = form.map_or(pkcs8.clone(), |_| openssl(&["pkey", "-traditional"], &pkcs8));
        for given in [&pkcs8, &traditional] {
            let identity = pki.issue(given);
            let written = identity.private_key(KeyForm::Pkcs8).unwrap();
            openssl(&["pkey", "-check", "-noout"], text(&written));
            assert_eq!(openssl(&["pkey"], text(&written)), pkcs8);
            let old = form.map(|form| identity.private_key(form).unwrap());
            assert_eq!(old.as_ref().map_or(&*traditional, text), traditional);
        }
    }
}

#[test]
fn a_bundle_has_the_form_from_which_the_driver_makes_tls_secrets() {
    let pki = Pki::new();
    let identity = pki.issue(&ec_key("P-256"));
    let bundle = identity.bundle(KeyForm::Sec1).unwrap();
    let key = identity.private_key(KeyForm::Sec1).unwrap();
    assert_eq!(text(&bundle), identity.certificate_chain().unwrap() + text(&key));
    openssl(&["pkey", "-check", "-noout"], text(&bundle));
}

/// A key of every algorithm, created by OpenSSL.
fn keys() -> [String; 3] {
    [
        genpkey(&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
        ec_key("P-256"),
        genpkey(&["-algorithm", "ED25519"]),
    ]
}

#[test]
fn openssl_and_keytool_read_a_pkcs12_keystore() {
    let pki = Pki::new();
    for key in keys() {
        let identity = pki.issue(&key);
        let store = pki.write(
            "store.p12",
            identity.keystore(StoreForm::Pkcs12, &alias("Web"), &password()).unwrap().expose(),
        );
        let open = ["pkcs12", "-in", &store, "-passin", &format!("pass:{PASSWORD}"), "-nodes"];
        assert_eq!(openssl(&["pkey"], &openssl(&[&open[..], &["-nocerts"]].concat(), "")), key);
        assert_eq!(
            openssl(&["x509"], &openssl(&[&open[..], &["-clcerts", "-nokeys"]].concat(), "")),
            identity.certificate().unwrap()
        );
        assert_eq!(
            openssl(&[&open[..], &["-cacerts", "-nokeys"]].concat(), "").matches("subject=").count(),
            2
        );
        let listed = keytool(&["-list", "-v", "-keystore", &store, "-storepass", PASSWORD]);
        assert!(
            listed.contains("Entry type: PrivateKeyEntry") && listed.contains("Certificate chain length: 3"),
            "{listed}"
        );
        assert_eq!(java_key(&pki, &store, "PKCS12", "web"), key);
    }
}

#[test]
fn keytool_reads_a_jks_keystore() {
    let pki = Pki::new();
    for key in keys() {
        let identity = pki.issue(&key);
        let store = pki.write(
            "store.jks",
            identity.keystore(StoreForm::Jks, &alias("Web"), &password()).unwrap().expose(),
        );
        let listed =
            keytool(&["-list", "-v", "-keystore", &store, "-storetype", "JKS", "-storepass", PASSWORD]);
        assert!(
            listed.contains("Entry type: PrivateKeyEntry") && listed.contains("Certificate chain length: 3"),
            "{listed}"
        );
        assert_eq!(java_key(&pki, &store, "JKS", "web"), key);
    }
}

/// The private key that Java reads from a keystore.
fn java_key(pki: &Pki, store: &str, form: &str, alias: &str) -> String {
    let out = pki.path("out.p12");
    let from = [
        "-importkeystore",
        "-noprompt",
        "-srckeystore",
        store,
        "-srcstoretype",
        form,
        "-srcstorepass",
        PASSWORD,
    ];
    let to =
        ["-srcalias", alias, "-destkeystore", &out, "-deststoretype", "PKCS12", "-deststorepass", "changeit"];
    keytool(&[&from[..], &to].concat());
    let key = openssl(&["pkcs12", "-in", &out, "-passin", "pass:changeit", "-nodes", "-nocerts"], "");
    fs::remove_file(out).unwrap();
    openssl(&["pkey"], &key)
}

#[test]
fn a_truststore_trusts_the_root_alone() {
    let pki = Pki::new();
    let authorities = Authorities::new(&[&pki.read("low.pem"), &pki.read("root.pem")]).unwrap();
    for (form, name) in [(StoreForm::Pkcs12, "PKCS12"), (StoreForm::Jks, "JKS")] {
        let store =
            pki.write(name, authorities.truststore(form, &alias("ca"), &password()).unwrap().expose());
        let open = ["-keystore", &store, "-storetype", name, "-storepass", PASSWORD];
        let listed = keytool(&[&["-list", "-v"], &open[..]].concat());
        assert!(
            listed.contains("Entry type: trustedCertEntry") && listed.contains("contains 1 entry"),
            "{listed}"
        );
        let exported = keytool(&[&["-exportcert", "-rfc", "-alias", "ca"], &open[..]].concat());
        assert_eq!(openssl(&["x509"], &exported), authorities.ca().unwrap());
    }
}

#[test]
fn a_keystore_opens_with_its_own_password_only() {
    let pki = Pki::new();
    let identity = pki.issue(&ec_key("P-256"));
    for (form, name) in [(StoreForm::Pkcs12, "PKCS12"), (StoreForm::Jks, "JKS")] {
        let store = pki.write(name, identity.keystore(form, &alias("web"), &password()).unwrap().expose());
        let arguments = ["-list", "-keystore", &store, "-storetype", name, "-storepass", "another"];
        assert!(!Command::new("keytool").args(arguments).output().unwrap().status.success(), "{name}");
    }
}

/// Environment variable with the directory that the second process reads.
const ANSWER: &str = "ANSWER_OF_ANOTHER_PROCESS";

#[test]
fn two_processes_write_the_same_keystores() {
    if let Some(folder) = std::env::var_os(ANSWER) {
        return write_keystores(folder.into(), "second");
    }
    let pki = Pki::new();
    pki.issue(&ec_key("P-256"));
    write_keystores(pki.0.path().to_owned(), "first");
    let mut again = Command::new(std::env::current_exe().unwrap());
    again
        .args(["--exact", "library::certificates::two_processes_write_the_same_keystores"])
        .env(ANSWER, pki.0.path());
    assert!(again.output().unwrap().status.success());
    for name in ["store.p12", "store.jks", "trust.p12", "trust.jks"] {
        let [first, second] =
            ["first", "second"].map(|process| fs::read(pki.path(&format!("{process}-{name}"))).unwrap());
        assert_eq!(first, second, "{name}");
    }
}

fn write_keystores(folder: PathBuf, process: &str) {
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let (leaf, low, root, key) = (read("leaf.pem"), read("low.pem"), read("root.pem"), read("leaf.key"));
    let issued =
        Issued { certificate: &leaf, issuing_ca: &low, ca_chain: vec![&root], private_key: Some(&key) };
    let identity = Identity::new(&ask(), &issued, None).unwrap();
    for (form, ending) in [(StoreForm::Pkcs12, "p12"), (StoreForm::Jks, "jks")] {
        let store = identity.keystore(form, &alias("web"), &password()).unwrap();
        let trust = identity.authorities().truststore(form, &alias("ca"), &password()).unwrap();
        fs::write(folder.join(format!("{process}-store.{ending}")), store.expose()).unwrap();
        fs::write(folder.join(format!("{process}-trust.{ending}")), trust.expose()).unwrap();
    }
}
