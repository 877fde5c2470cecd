use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// The file of a token, changed by `change`, as a node with `seal` reads it.
fn changed(seal: &Seal, change: impl FnOnce(&mut Value)) -> StoredRecord {
    let file =
        record::write(&id("a"), VERSION, &session(), &body(), &crate::state::tests::seal(MATERIAL, "node-1"))
            .unwrap();
    let mut file = serde_json::from_slice(&file).unwrap();
    change(&mut file);
    record::read(id("a"), file.to_string().as_bytes(), seal)
}

#[test]
fn sealed_parts_cannot_be_decrypted_in_another_place() {
    let ours = seal(MATERIAL, "node-1");
    let [a, b] =
        ["a", "b"].map(|name| record::write(&id(name), VERSION, &session(), &body(), &ours).unwrap());
    assert_eq!(unusable(record::read(id("b"), &a, &ours)).why, Why::Undecryptable, "renamed");
    let other: Value = serde_json::from_slice(&b).unwrap();
    type Change<'a> = (&'static str, bool, Box<dyn Fn(&mut Value) + 'a>);
    let changes: [Change<'_>; 6] = [
        ("another record's body", true, Box::new(|file| file["body"] = other["body"].clone())),
        ("another record's token", false, Box::new(|file| file["token"] = other["token"].clone())),
        ("the token as body", true, Box::new(|file| file["body"] = file["token"].clone())),
        (
            "another server",
            false,
            Box::new(|file| file["server"]["address"] = json!("https://elsewhere:8200")),
        ),
        ("another kind", false, Box::new(|file| file["kind"] = json!("volume"))),
        ("another version", true, Box::new(|file| file["version"] = json!(VERSION + 1))),
    ];
    for (what, token_opens, change) in &changes {
        let unusable = unusable(changed(&ours, change));
        let outer = unusable.outer.unwrap();
        assert_eq!((unusable.why, outer.token.is_some()), (Why::Undecryptable, *token_opens), "{what}");
        assert_eq!(outer.accessor.as_deref(), Some("accessor-1"), "{what}");
    }
}

#[test]
fn another_key_or_node_decrypts_nothing_but_still_reads_what_to_revoke() {
    let material = MATERIAL.to_ascii_lowercase();
    for seal in [seal(&material, "node-1"), seal(MATERIAL, "node-2")] {
        let unusable = unusable(changed(&seal, |_| {}));
        let outer = unusable.outer.unwrap();
        assert_eq!(
            (unusable.why, outer.token.is_none(), outer.server),
            (Why::Undecryptable, true, session().server)
        );
        assert_eq!((outer.accessor.as_deref(), outer.leases.len()), (Some("accessor-1"), 1));
    }
}

#[test]
fn the_key_of_versions_serves_both_purposes_separately() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("key");
    fs::write(&file, MATERIAL).unwrap();
    let shared = StateKey::read_shared(&file).unwrap().seal("node-1").unwrap();
    assert_eq!(unusable(changed(&shared, |_| {})).why, Why::Undecryptable);
    assert!(matches!(
        changed(&StateKey::read(&file).unwrap().seal("node-1").unwrap(), |_| {}),
        StoredRecord::Record(_)
    ));
}

#[test]
fn a_body_is_read_one_version_back_and_forth_and_any_record_is_cleaned_up() {
    let ours = seal(MATERIAL, "node-1");
    for version in [VERSION - 1, VERSION, VERSION + 1] {
        let file = record::write(&id("a"), version, &session(), &body(), &ours).unwrap();
        record(record::read(id("a"), &file, &ours));
    }
    let file = record::write(&id("a"), VERSION + 2, &session(), &body(), &ours).unwrap();
    let unusable = unusable(record::read(id("a"), &file, &ours));
    let outer = unusable.outer.unwrap();
    assert_eq!((unusable.why, outer.server), (Why::Version(VERSION + 2), session().server));
    assert_eq!(outer.token.unwrap().expose(), b"canary-token");
}

#[test]
fn what_a_later_version_adds_is_ignored_and_what_it_drops_has_a_default() {
    let ours = seal(MATERIAL, "node-1");
    record(changed(&ours, |file| file["later"] = json!({"deep": [[1]]})));
    let without = record(changed(&ours, |file| {
        file.as_object_mut().unwrap().retain(|member, _| !matches!(member.as_str(), "accessor" | "leases"));
    }));
    assert_eq!((without.outer.accessor, without.outer.leases.len()), (None, 0));
    let form = unusable(changed(&ours, |file| file["vaultmount"] = json!(2)));
    assert_eq!((form.why, form.outer.unwrap().token.is_some()), (Why::Form(2), true));
    for missing in ["server", "token"] {
        let unusable = unusable(changed(&ours, |file| drop(file.as_object_mut().unwrap().remove(missing))));
        assert!(matches!(unusable.why, Why::Incomplete | Why::Undecryptable), "{missing}");
    }
}

/// What a later version must not break: a file of version 1 that another implementation of the form has written.
#[test]
fn a_file_of_the_first_version_stays_readable() {
    let found = record::read(id("a"), include_bytes!("session-v1.json"), &seal(MATERIAL, "node-1"));
    let outer = found.outer().unwrap();
    assert_eq!(outer.token.as_ref().unwrap().expose(), b"canary-token");
    assert_eq!((&outer.server, outer.accessor.as_deref()), (&session().server, Some("accessor-1")));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        unusable(record::read(id("a"), &bytes, &seal(MATERIAL, "node-1")));
    }

    #[test]
    fn no_change_of_a_file_decrypts_to_another_secret(at in 0..2000_usize, to in any::<u8>()) {
        let ours = seal(MATERIAL, "node-1");
        let mut file = record::write(&id("a"), VERSION, &session(), &body(), &ours).unwrap();
        let length = file.len();
        file[at % length] = to;
        let found = record::read(id("a"), &file, &ours);
        if let Some(token) = found.outer().and_then(|outer| outer.token.as_ref()) {
            prop_assert_eq!(token.expose(), b"canary-token");
        }
        if let StoredRecord::Record(record) = found {
            prop_assert_eq!(record.body.expose(), b"canary-body");
        }
    }
}
