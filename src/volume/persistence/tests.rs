//! The volumes and groups of 0.1.0, as `tests/golden` has them.

use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use super::*;
use crate::payload::VersionKey;
use crate::secret::Secret;
use crate::spec::{
    AuthSpec, CertificateRequest, Encoding, EngineRequest, KeyPlace, KeyType, KvEngine, KvRead, Pod, Request,
    S5Text, Selector, SelectorPath, SelectorRoot, ServerSpec, ShareScope, SourceValue, Text, TlsSpec,
    TransitCiphertext, TransitKey,
};
use crate::state::golden;
use crate::tokens::{Logins, Scope};
use crate::vault::{Account, Outbound, Vaults};
use crate::volume::VolumeConfig;

/// 2100-01-01: nothing in the records is due before.
const THEN: u64 = 4_102_444_800_000;

const UID: &str = "7b4a1f0e-6d41-4f41-9d0a-000000000001";

/// Bodies of volumes and groups, with their ids and their JSON.
async fn bodies() -> Vec<(RecordId, Value, Body)> {
    let (_directory, store) = golden::store().await;
    let records = golden::records(&store).into_iter().filter(|record| record.outer.kind == Kind::Volume);
    records.map(|record| (record.id.clone(), golden::json(&record), read(&store, &record).unwrap())).collect()
}

/// The volume of the pod `name`.
async fn volume(name: &str) -> VolumeRecord {
    let volume = |body| match body {
        Body::Volume(volume) if volume.id.pod.name == name => Some(*volume),
        _ => None,
    };
    bodies().await.into_iter().find_map(|(_, _, body)| volume(body)).unwrap()
}

async fn group() -> (LoginKey, Vec<IssuedRecord>) {
    let group = |body| match body {
        Body::Group(key, issued) => Some((*key, issued)),
        Body::Volume(_) => None,
    };
    bodies().await.into_iter().find_map(|(_, _, body)| group(body)).unwrap()
}

fn key(mount: &str, audience: Option<&str>, scope: Scope) -> LoginKey {
    let address = "http://127.0.0.1:9".parse().unwrap();
    LoginKey {
        server: ServerSpec {
            address,
            configured: true,
            namespace: Some("team-a".into()),
            tls: TlsSpec::default(),
        },
        auth: AuthSpec { mount: mount.into(), role: "web".into(), audience: audience.map(str::to_owned) },
        account: Account { namespace: "team-a".into(), name: "web".into(), uid: "account-uid".into() },
        scope,
    }
}

fn login(name: &str) -> RecordId {
    RecordId::of(&["golden", name])
}

fn source(request: EngineRequest) -> Source {
    Source { namespace: None, request, share: ShareScope::Pod }
}

fn secret(version: Option<u32>, engine: KvEngine) -> Source {
    source(EngineRequest::Kv(KvRead {
        mount: "secret".into(),
        path: "team-a/db".into(),
        version,
        previous: false,
        engine,
    }))
}

fn certificate(key: KeyPlace) -> CertificateRequest {
    CertificateRequest {
        mount: "pki".into(),
        role: "web".into(),
        common_name: "web.example".into(),
        alt_names: vec!["www.example".into()],
        ip_sans: vec!["10.0.0.7".parse().unwrap()],
        uri_sans: vec!["spiffe://example/web".into()],
        ttl: Some("24h".into()),
        key,
        options: Default::default(),
    }
}

fn transit_key(mount: &str, name: &str) -> TransitKey {
    TransitKey { mount: mount.into(), name: name.into() }
}

fn selected(source: Source, start: SelectorRoot, way: SelectorPath, encoding: Encoding) -> Text {
    Text::Of(Box::new(SourceValue { source, selector: Selector { root: start, path: way }, encoding }))
}

#[tokio::test]
async fn no_member_of_a_volume_or_group_of_0_1_0_is_renamed_or_dropped() {
    let bodies = bodies().await;
    assert_eq!(bodies.len(), 3);
    for (id, old, body) in bodies {
        assert_eq!(golden::lost(&old, &serde_json::to_value(&body).unwrap()), [""; 0], "{id}");
        // With another id the next save would leave the old file behind.
        let named = match &body {
            Body::Volume(volume) => volume.id.record(),
            Body::Group(key, _) => group_id(key),
        };
        assert_eq!(named, id);
    }
}

#[tokio::test]
async fn a_volume_of_0_1_0_is_of_the_same_pod_and_request() {
    let volume = volume("web-0").await;
    let target = format!("/var/lib/kubelet/pods/{UID}/volumes/kubernetes.io~csi/secrets/mount");
    let pod = Pod {
        namespace: "team-a".into(),
        name: "web-0".into(),
        uid: UID.into(),
        service_account: "web".into(),
    };
    assert_eq!((volume.id.target_path, volume.id.pod, volume.id.parameters), (target, pod, None));
    assert_eq!(volume.owner, Some(key("kubernetes", None, Scope::Account)));
    assert_eq!(
        (volume.is_published, volume.mount_seen, volume.pod_seen, volume.is_own),
        (true, true, true, true)
    );
    assert_eq!(
        (volume.reader, volume.group),
        (Some(login("account")), Some(key("jwt/eu", Some("prod"), Scope::Group)))
    );
    assert_eq!(volume.superseded, [(UnixMillis(THEN + 77), login("unix"))]);
    let marks =
        json!({"db": {"version": "golden-version", "inode": 4711, "changed": 1_700_000_000_000_000_001_u64}});
    assert_eq!(serde_json::to_value(&volume.fingerprints).unwrap(), marks);
    let keyed = [("db", "secret/data/team-a/db"), ("tls", "pki/issue/web")]
        .map(|(name, path)| (name.to_owned(), path.to_owned()));
    assert_eq!(volume.keyed, Keyed::from(keyed));
    let published = serde_json::to_value(volume.published.unwrap()).unwrap();
    let parameters =
        json!({"roleName": "web", "objects": "- objectName: db", "vaultAddress": "http://127.0.0.1:9"});
    let expected = json!({"parameters": parameters, "own": {"roleName": "web"}, "class": "golden-class", "mode": 0o640, "flavor": "OpenBao"});
    assert_eq!(golden::lost(&expected, &published), [""; 0]);
}

#[tokio::test]
async fn an_empty_volume_of_0_1_0_is_read() {
    let volume = volume("sync-0").await;
    assert_eq!(
        (volume.id.target_path.as_str(), volume.id.parameters),
        ("/sync/controller", Some(std::array::from_fn(|at| at as u8)))
    );
    assert_eq!(
        (volume.is_published, volume.mount_seen, volume.pod_seen, volume.is_own),
        (false, false, false, false)
    );
    assert!(volume.owner.is_none() && volume.reader.is_none() && volume.group.is_none());
    assert!(
        volume.own.is_empty()
            && volume.issued.is_empty()
            && volume.superseded.is_empty()
            && volume.keyed.is_empty()
    );
}

#[tokio::test]
async fn what_0_1_0_had_issued_for_a_volume_belongs_to_the_same_sources() {
    let issued = volume("web-0").await.issued;
    let creds = Request::new("GET", "database/creds/app", None).unwrap();
    let random = Request::new("POST", "transit/random/32?format=hex&x", Some(&json!({"bytes": 32}))).unwrap();
    let expected = [
        source(EngineRequest::Request(creds)),
        Source {
            namespace: Some("team-b".into()),
            request: EngineRequest::Request(random),
            share: ShareScope::ServiceAccount,
        },
        source(EngineRequest::Certificate(Box::new(certificate(KeyPlace::Node(KeyType::EcP256))))),
        Source {
            namespace: Some("team-b".into()),
            ..source(EngineRequest::Certificate(Box::new(certificate(KeyPlace::Vault))))
        },
        secret(Some(3), KvEngine::V2),
        secret(None, KvEngine::V1),
    ];
    let sources: Vec<_> = issued.iter().map(|issued| issued.source.clone()).collect();
    assert_eq!(sources, expected);
    for (issued, after) in issued.iter().zip(1..) {
        assert_eq!(issued.at, UnixMillis(THEN + after));
    }
    let expiries: Vec<_> = issued.into_iter().map(|issued| issued.expiry).collect();
    let until = |end| move |expiries: &StoredExpiry| matches!(expiries, StoredExpiry::Fixed(Expiry::Until(at)) if *at == end);
    assert!(
        matches!(&expiries[0], StoredExpiry::Leased(lease, id) if lease == "database/creds/app/extends" && *id == login("leases"))
    );
    assert!(
        until(4_102_445_300)(&expiries[1])
            && until(7_000_000_000)(&expiries[2])
            && until(7_000_000_000)(&expiries[3])
    );
    assert!(expiries[4..].iter().all(|expiries| matches!(expiries, StoredExpiry::Fixed(Expiry::Unknown))));
}

#[tokio::test]
async fn every_kind_of_source_of_0_1_0_is_read() {
    let own = volume("web-0").await.own;
    assert!(own.iter().all(|(_, id)| *id == login("batch")));
    let transit = |ciphertext, context: Option<&str>| {
        let context = context.map(str::to_owned);
        source(EngineRequest::Transit(TransitCiphertext {
            key: transit_key("transit", "app"),
            ciphertext,
            context,
        }))
    };
    let s5 = |key, text| source(EngineRequest::S5(S5Text { key, text }));
    let newest = || secret(None, KvEngine::V2);
    let pointer = selected(
        newest(),
        SelectorRoot::Response,
        SelectorPath::Pointer("/data/data/a~1b".into()),
        Encoding::Hex,
    );
    let key = selected(
        secret(Some(7), KvEngine::V2),
        SelectorRoot::Metadata,
        SelectorPath::Key("a.b/c".into()),
        Encoding::Base64,
    );
    let mut expected = vec![
        transit(Text::Literal("vault:v1:golden".to_owned().into()), Some("Z29sZGVu")),
        transit(selected(newest(), SelectorRoot::Data, SelectorPath::Whole, Encoding::Utf8), None),
        Source { namespace: Some("team-b".into()), ..transit(pointer, None) },
        s5(transit_key("transit", "app"), Text::Literal("golden s5:text".to_owned().into())),
        s5(transit_key("transit/eu", "default"), key),
        source(EngineRequest::Authorities { mount: "pki".into() }),
    ];
    let kinds = [KeyType::Rsa2048, KeyType::Rsa3072, KeyType::Rsa4096, KeyType::EcP384, KeyType::Ed25519];
    expected.extend(kinds.map(|kind| {
        source(EngineRequest::Certificate(Box::new(CertificateRequest {
            common_name: String::new(),
            alt_names: Vec::new(),
            ip_sans: vec!["2001:db8::7".parse().unwrap()],
            uri_sans: Vec::new(),
            ttl: None,
            ..certificate(KeyPlace::Node(kind))
        })))
    }));
    assert_eq!(own.into_iter().map(|(source, _)| source).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_group_of_0_1_0_is_of_the_same_account() {
    let (identity, issued) = group().await;
    assert_eq!(identity, key("jwt/eu", Some("prod"), Scope::Group));
    assert!(issued.iter().all(|issued| issued.source.share == ShareScope::ServiceAccount));
    assert!(
        matches!(&issued[0].expiry, StoredExpiry::Leased(lease, id) if lease == "database/creds/app/group" && *id == login("group"))
    );
    let node = EngineRequest::Certificate(Box::new(certificate(KeyPlace::Node(KeyType::EcP256))));
    assert_eq!((issued.len(), &issued[1].source.request), (2, &node));
}

#[tokio::test]
async fn responses_of_0_1_0_have_the_same_content() {
    let issued = volume("web-0").await.issued;
    let value = |at: usize, start, way: SelectorPath| {
        let IssuedRecord { source, stored, .. } =
            serde_json::from_value(serde_json::to_value(&issued[at]).unwrap()).unwrap();
        let fetched = Fetched::from_record(&source, stored).unwrap();
        let selection =
            SourceValue { source, selector: Selector { root: start, path: way }, encoding: Encoding::Utf8 };
        let bytes = fetched.bytes(&selection).unwrap();
        bytes.expose_text().unwrap().to_owned()
    };
    let key = |name: &str| SelectorPath::Key(name.into());
    assert_eq!(value(0, SelectorRoot::Data, key("password")), "golden-password");
    assert_eq!(value(1, SelectorRoot::Response, key("request_id")), "golden-post");
    assert_eq!(value(4, SelectorRoot::Data, key("password")), "golden-kv2");
    assert_eq!(value(4, SelectorRoot::Metadata, key("version")), "3");
    assert_eq!(value(5, SelectorRoot::Data, key("password")), "golden-kv1");
    for at in [2, 3] {
        assert!(value(at, SelectorRoot::Data, key("certificate")).starts_with("-----BEGIN CERTIFICATE-----"));
    }
}

#[tokio::test]
async fn volumes_of_0_1_0_keep_their_credentials() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (_directory, store) = golden::store().await;
    let before: HashMap<_, _> =
        golden::records(&store).iter().map(|record| (record.id.clone(), golden::json(record))).collect();
    let store = Arc::new(store);
    let logins = Logins::new(Vaults::new(Outbound::default()), None, &TaskTracker::new());
    let key = VersionKey::try_from(Secret::from("0123456789abcdef0123456789abcdef")).unwrap();
    let volumes = Volumes::new(
        logins,
        VolumeConfig { store: Some(Arc::clone(&store)), ..VolumeConfig::default() },
        key,
    );
    volumes.resume();
    let all = volumes.all();
    assert_eq!(all.len(), 2);
    all.iter().for_each(|volume| volumes.save(volume));
    let volume = all.iter().find(|volume| volume.is_published()).unwrap();
    assert_eq!((volume.issued.all().len(), volume.state().own.len()), (6, 11));
    assert_eq!(volume.state().group.as_ref().unwrap().1.all().len(), 2);
    let node = source(EngineRequest::Certificate(Box::new(certificate(KeyPlace::Node(KeyType::EcP256)))));
    let issued = volume.issued.all();
    let (source, issued) = issued.iter().find(|(source, _)| *source == node).unwrap();
    let key = before[&volume.id().record()]["Volume"]["made"][2]["kept"]["key"].clone();
    assert_eq!(
        serde_json::to_value(issued.fetched.to_record(source)).unwrap()["key"],
        key,
        "a pod would get another key"
    );
    for record in golden::records(&store) {
        let mut old = before[&record.id].clone();
        // No list of pods says so here.
        if let Some(volume) = old.get_mut("Volume").and_then(Value::as_object_mut) {
            volume.remove("pod_seen");
        }
        assert_eq!(golden::lost(&old, &golden::json(&record)), [""; 0], "{}", record.id);
    }
}
