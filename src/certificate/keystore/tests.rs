//! The bytes of a keystore must not change without a cause: every program that watches the file would reload it.

use ring::digest::{SHA256, digest};

use super::*;

/// Signed by its own key, which no test needs.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIBjjCCATSgAwIBAgIBATAKBggqhkjOPQQDAjAmMSQwIgYDVQQDDBt2YXVsdG1v
dW50IGtleXN0b3JlIGZpeHR1cmUwHhcNMjYxMTMwMTMzMjI4WhcNMzYxMTI3MTMz
MjI4WjAmMSQwIgYDVQQDDBt2YXVsdG1vdW50IGtleXN0b3JlIGZpeHR1cmUwWTAT
BgcqhkjOPQIBBggqhkjOPQMBBwNCAASMkfa5HtLJ48jcFpwe4FUUcjg4Js9nTSO8
r9B8GdmOm4xA9qgG+z5CFDEvvmscaOwQKY/ArM9h4A+pyoWCQfpFo1MwUTAdBgNV
HQ4EFgQUaTQCdiUI0iL2Yf8ZfOXnbghIa30wHwYDVR0jBBgwFoAUaTQCdiUI0iL2
Yf8ZfOXnbghIa30wDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiAf
LI30EkdX7HGa+XvTLIA2nnbtaGfoMrVj8F7Vb1tGfQIhAKoCGf7RgfNPY2Tt6h7c
KMapgL/KGSX+y5LscGohj5z8
-----END CERTIFICATE-----
";

#[test]
fn a_keystore_has_the_same_bytes_in_every_version_of_vaultmount() {
    let certificates = Certificate::all(CERTIFICATE, "certificate").unwrap();
    let certificate = &certificates[0];
    let stores = [StoreForm::Pkcs12, StoreForm::Jks].map(|form| {
        // The writers do not read the key.
        let identity =
            Contents::Identity { key: b"the key of this test", chain: vec![certificate, certificate] };
        [identity, Contents::Trusted(certificate)].map(|contents| {
            let store =
                write(form, &contents, &"SameBytes".parse().unwrap(), &Secret::from("the password")).unwrap();
            let hash = digest(&SHA256, store.expose()); // of a test's own bytes
            (store.len(), hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        })
    });
    let expected = [
        [
            (1526, "14658dc8ffb091a3c784c670a667f608aa6621522375fe36987f80cc2f0077e5"),
            (811, "e2ef79ece5e5857e43ca8aea9351e3f6bd9680fd19524e74b76c357cb9e1bfe8"),
        ],
        [
            (969, "37797177de7891bdede6e4654fe9826d39f9b02a2ea3836f112fd30eed4f2ae8"),
            (468, "19f6b2893856ad8c4acd232ea090ace6bdaefa85b7d4ec8247aaa1ee34e5ff02"),
        ],
    ];
    assert_eq!(stores, expected.map(|pair| pair.map(|(len, hash)| (len, hash.to_owned()))));
}
