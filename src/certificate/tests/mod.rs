mod pki; // test CAs and leaf certificates

use proptest::prelude::*;
use rcgen::KeyPair;

use super::*;
use crate::certificate::key::PrivateKey;
use crate::certificate::pem::pem_text;
use crate::certificate::tests::pki::{Ca, ask, bare, ca, key, leaf, new_ca};
use crate::error::Reason;
use crate::secret::Secret;
use crate::spec::{Alias, CertificateRequest, KeyForm, KeyType, StoreForm};

fn identity(leaf: &str, key: &KeyPair, issuing: &str, chain: &[&str]) -> Result<Identity, CertificateError> {
    let key = key.serialize_pem();
    let issued =
        Issued { certificate: leaf, issuing_ca: issuing, ca_chain: chain.to_vec(), private_key: Some(&key) };
    Identity::new(&ask(), &issued, None)
}

/// The identity from a response with one CA, checked against `ask`.
fn answer(ask: &CertificateRequest) -> Result<Identity, CertificateError> {
    let (key, root) = (key(), new_ca("root", None));
    let pem = key.serialize_pem();
    let leaf = leaf(&key, &root);
    Identity::new(
        ask,
        &Issued { certificate: &leaf, issuing_ca: &root.pem, ca_chain: vec![], private_key: Some(&pem) },
        None,
    )
}

fn error<T>(result: Result<T, CertificateError>) -> CertificateError {
    result.err().expect("an error")
}

#[test]
fn a_chain_is_in_order_whatever_the_order_of_the_response() {
    let root = new_ca("root", None);
    let middle = new_ca("middle", Some(&root));
    let low = new_ca("low", Some(&middle));
    let stranger = new_ca("stranger", None);
    let own = key();
    let leaf = leaf(&own, &low);
    let wanted = format!("{}{}{}", low.pem, middle.pem, root.pem).replace("\r\n", "\n");
    let (low, middle, root, stranger) =
        (low.pem.as_str(), middle.pem.as_str(), root.pem.as_str(), stranger.pem.as_str());
    let all_in_one = [root, low, stranger, middle].concat();
    for chain in [
        &[low, middle, root][..],
        &[root, stranger, middle, low, middle],
        &[middle, root, &leaf],
        &[&all_in_one],
    ] {
        let identity = identity(&leaf, &own, low, chain).unwrap();
        assert_eq!(identity.authorities().chain().unwrap(), wanted);
        assert_eq!(identity.full_chain().unwrap(), format!("{}{wanted}", identity.certificate().unwrap()));
        assert_eq!(identity.authorities().ca().unwrap(), root.replace("\r\n", "\n"));
        assert!(
            !identity.certificate_chain().unwrap().contains(root.lines().nth(3).unwrap()),
            "the root is sent"
        );
        assert_eq!(identity.certificate_chain().unwrap().matches("BEGIN CERTIFICATE").count(), 3);
    }
    assert_eq!(Authorities::new(&[root, middle, low, root]).unwrap().chain().unwrap(), wanted);
}

#[test]
fn an_incomplete_chain_ends_at_the_last_known_ca() {
    let root = new_ca("root", None);
    let low = new_ca("low", Some(&root));
    let own = key();
    let identity = identity(&leaf(&own, &low), &own, &low.pem, &[]).unwrap();
    assert_eq!(identity.authorities().ca(), identity.authorities().issuing_ca());
    assert_eq!(identity.full_chain(), identity.certificate_chain());
}

#[test]
fn a_ca_of_the_same_name_with_another_key_is_left_out() {
    let (old, new) = (new_ca("root", None), new_ca("root", None));
    let own = key();
    let leaf = leaf(&own, &new);
    let identity = identity(&leaf, &own, &old.pem, &[&old.pem, &new.pem]).unwrap();
    assert_eq!(identity.authorities().chain().unwrap(), new.pem.replace("\r\n", "\n"));
}

#[test]
fn of_cross_signed_cas_the_one_that_vault_names_is_used() {
    let (old, shared) = (new_ca("old root", None), key());
    let (own_root, crossed) = (ca("new root", &shared, None), ca("new root", &shared, Some(&old)));
    let own = key();
    let leaf = leaf(&own, &own_root);
    for chain in [[&own_root, &crossed, &old], [&old, &crossed, &own_root]] {
        let chain = chain.map(|ca| ca.pem.as_str());
        let named =
            |issuing: &Ca| identity(&leaf, &own, &issuing.pem, &chain).unwrap().authorities().ca().unwrap();
        assert_eq!(named(&own_root), own_root.pem.replace("\r\n", "\n"));
        assert_eq!(named(&crossed), old.pem.replace("\r\n", "\n"));
        let unnamed = identity(&leaf, &own, "", &chain).unwrap();
        assert_eq!(unnamed.authorities().chain().unwrap(), own_root.pem.replace("\r\n", "\n"));
    }
}

#[test]
fn a_leaf_without_its_issuer_is_refused() {
    let (own, root, stranger) = (key(), new_ca("root", None), new_ca("root", None));
    let leaf = leaf(&own, &root);
    for issuing in ["", &stranger.pem] {
        assert_eq!(error(identity(&leaf, &own, issuing, &[])), CertificateError::IssuerMissing);
    }
    let many: Vec<_> = (0..40).map(|_| new_ca("root", None).pem).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert_eq!(error(identity(&leaf, &own, "", &many)), CertificateError::TooManyAuthorities { limit: 32 });
}

#[test]
fn a_key_is_never_combined_with_the_certificate_of_another_key() {
    let root = new_ca("root", None);
    let own = key();
    let leaf = leaf(&own, &root);
    assert_eq!(error(identity(&leaf, &key(), &root.pem, &[])), CertificateError::OtherKey);
    let issued = || Issued { certificate: &leaf, issuing_ca: &root.pem, ca_chain: vec![], private_key: None };
    for kind in [KeyType::Rsa2048, KeyType::EcP256, KeyType::EcP384, KeyType::Ed25519] {
        let node = NodeKey::generate(kind).unwrap();
        assert_eq!(error(Identity::new(&ask(), &issued(), Some(node))), CertificateError::OtherKey);
    }
    assert_eq!(error(Identity::new(&ask(), &issued(), None)), CertificateError::KeyMissing);
}

#[test]
fn names_match_in_the_spelling_of_the_server() {
    answer(&ask()).unwrap();
    answer(&bare()).unwrap();
}

#[test]
fn a_missing_requested_name_is_in_the_error() {
    let lacks = |ask| match error(answer(&ask)) {
        CertificateError::NameMissing { name } => name,
        other => panic!("{other}"),
    };
    assert_eq!(
        lacks(CertificateRequest { alt_names: vec!["db.example".to_owned()], ..bare() }),
        "db.example"
    );
    // The address of a mail is no DNS name, and an address in DNS none of a host.
    assert_eq!(
        lacks(CertificateRequest { alt_names: vec!["web@example".to_owned()], ..bare() }),
        "web@example"
    );
    assert_eq!(lacks(CertificateRequest { alt_names: vec!["10.0.0.7".to_owned()], ..bare() }), "10.0.0.7");
    assert_eq!(
        lacks(CertificateRequest { ip_sans: vec!["10.0.0.8".parse().unwrap()], ..bare() }),
        "10.0.0.8"
    );
    assert_eq!(
        lacks(CertificateRequest { uri_sans: vec!["spiffe://example/db".to_owned()], ..bare() }),
        "spiffe://example/db"
    );
    let other = CertificateRequest { common_name: "db.example".to_owned(), ..bare() };
    assert_eq!(error(answer(&other)), CertificateError::OtherCommonName { name: "db.example".to_owned() });
}

#[test]
fn a_name_that_is_impossible_in_a_certificate_is_an_error_of_the_class() {
    let ask = CertificateRequest { uri_sans: vec!["spiffe://bücher/x".to_owned()], ..bare() };
    let error = error(NodeKey::generate(KeyType::Ed25519).unwrap().csr(&ask));
    assert_eq!(error.reason(), Reason::SpecInvalid);
    assert!(error.to_string().contains("spiffe://bücher/x"), "{error}");
}

#[test]
fn an_error_about_a_key_format_names_the_possible_formats() {
    let text = |kind, form| error(NodeKey::generate(kind).unwrap().0.pem(form)).to_string();
    assert!(text(KeyType::Ed25519, KeyForm::Sec1).contains("use keyFormat: pkcs8"));
    assert!(
        text(KeyType::EcP256, KeyForm::Pkcs1)
            .contains("ECDSA has no format pkcs1; use keyFormat: pkcs8 or sec1")
    );
    assert!(
        text(KeyType::Rsa2048, KeyForm::Sec1)
            .contains("RSA has no format sec1; use keyFormat: pkcs8 or pkcs1")
    );
}

#[test]
fn a_keystore_without_a_usable_password_is_refused() {
    let identity = answer(&bare()).unwrap();
    for form in [StoreForm::Pkcs12, StoreForm::Jks] {
        for password in ["", "pässword", "line\n"] {
            let refused =
                error(identity.keystore(form, &"certificate".parse().unwrap(), &Secret::from(password)));
            assert_eq!(refused, CertificateError::PasswordUnusable);
        }
        identity.keystore(form, &"é".repeat(255).parse().unwrap(), &Secret::from("~ !")).unwrap();
    }
}

#[test]
fn no_error_contains_a_byte_of_the_response() {
    let own = key();
    let pem = own.serialize_pem();
    let root = new_ca("root", None);
    let cut = |text: &str| format!("{}!canary\n", &text[..text.len() / 2]);
    let (bad_leaf, bad_ca, bad_key) = (cut(&leaf(&own, &root)), cut(&root.pem), cut(&pem));
    let good = leaf(&own, &root);
    for (certificate, issuing_ca, key) in
        [(&bad_leaf, &root.pem, &pem), (&good, &bad_ca, &pem), (&good, &root.pem, &bad_key)]
    {
        let issued = Issued { certificate, issuing_ca, ca_chain: vec![], private_key: Some(key) };
        let error = error(Identity::new(&bare(), &issued, None));
        assert_eq!(error.reason(), Reason::Malformed);
        let text = format!("{error} {error:?}");
        assert!(
            text.len() < 200 && !text.contains("canary") && !text.contains("BEGIN") && !text.contains("MI"),
            "{text}"
        );
    }
}

proptest! {
    #[test]
    fn a_text_that_is_not_pem_is_refused_without_a_panic(text in "\\PC*|-----BEGIN (CERTIFICATE|EC PRIVATE KEY)-----\n[A-Za-z0-9+/=\n]{0,200}\n-----END CERTIFICATE-----") {
        prop_assert!(Authorities::new(&[&text]).is_err());
        let issued = Issued { certificate: &text, issuing_ca: &text, ca_chain: vec![&text], private_key: Some(&text) };
        prop_assert!(Identity::new(&bare(), &issued, None).is_err());
    }

    #[test]
    fn a_damaged_key_never_belongs_to_another_certificate(place in 0usize..150, byte in any::<u8>()) {
        let own = key();
        let root = new_ca("root", None);
        let mut der = own.serialize_der();
        let place = place % der.len();
        der[place] ^= byte;
        let pem = pem_text("PRIVATE KEY", &der).unwrap();
        let leaf = leaf(&own, &root);
        let issued = Issued { certificate: &leaf, issuing_ca: &root.pem, ca_chain: vec![], private_key: Some(&pem) };
        if let Ok(identity) = Identity::new(&bare(), &issued, None) {
            let read = PrivateKey::from_pem(identity.private_key(KeyForm::Sec1).unwrap().expose_text().unwrap()).unwrap();
            let signer = read.signer().unwrap();
            prop_assert_eq!(signer.public_key_raw(), own.public_key_raw());
        }
    }

    #[test]
    fn any_alias_and_password_give_the_same_bytes_twice(alias in "\\PC{1,20}".prop_filter_map("no alias", |text| text.parse::<Alias>().ok()), password in "[ -~]{1,20}") {
        let root = new_ca("root", None);
        let authorities = Authorities::new(&[&root.pem]).unwrap();
        let password = Secret::from(password);
        let written = || authorities.truststore(StoreForm::Jks, &alias, &password).map(|store| store.expose().to_vec());
        prop_assert_eq!(written(), written());
    }
}
