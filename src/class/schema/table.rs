//! The fields of every mapping in `objects`: the one place where their names, types, defaults and meanings stand.

use std::collections::BTreeMap;

use serde_json::json;

use crate::class::schema::field::{At, Field, Kind, Read, shape};
use crate::class::schema::values::{Age, Id, Mode, TextList};
use crate::class::schema::words::{KeyMaker, Keys, PartName};
use crate::goyaml::Item;
use crate::spec::{Body, Encoding, Format, KeyForm, KeyType, SelectorRoot, ShareScope, StoreForm};

shape! {
    /// A secret of a KV engine, one GET
    pub(crate) struct KvFields {
        /// The engine's mount.
        mount: String = "mount", "required";
        /// The secret's path below the mount, without `data/`.
        path: String = "path", "required";
        /// The version to read; the engine keeps older ones.
        version: u32 = "version", "the newest";
        /// 1 for a mount without versions.
        engine: u32 = "engineVersion", "2";
    }

    /// A certificate for names, or the CAs of a mount
    pub(crate) struct PkiFields {
        /// The engine's mount.
        mount: String = "mount", "required";
        /// The role, which decides what may be asked.
        role: String = "role", "required without `ca`";
        /// The subject's common name; may hold `${POD_NAME}` and its like.
        common_name: String = "commonName", "none";
        /// Further DNS names and mail addresses; may hold `${POD_NAME}` and its like.
        alt_names: TextList = "altNames", "none";
        /// IP addresses.
        ip_sans: TextList = "ipSans", "none";
        /// URIs, such as a SPIFFE ID; may hold `${POD_NAME}` and its like.
        uri_sans: TextList = "uriSans", "none";
        /// Life of the certificate: seconds, or numbers with the units `s`, `m`, `h`, `d`.
        ttl: String = "ttl", "the role's";
        /// Who makes the key: `vault` by `issue`, or `node` by `sign`; then it never leaves the node.
        private_key: KeyMaker = "privateKey", "`vault`";
        /// The key's type; only with `privateKey: node`.
        key_type: KeyType = "keyType", "`ec-p256`";
        /// `true` reads the mount's CAs and issues nothing.
        ca: bool = "ca", "`false`";
    }

    /// One ciphertext of a transit engine; all of a key are opened by one call
    pub(crate) struct TransitFields {
        /// The engine's mount.
        mount: String = "mount", "`transit`";
        /// The key.
        key: String = "key", "required";
        /// What `encrypt` answered, `vault:v1:...`.
        ciphertext: String = "ciphertext", "this or `from`";
        /// The value that holds the ciphertext.
        from: Box<SourceValueFields> = "from", "this or `ciphertext`";
        /// Base64 of the context of a derived key.
        context: String = "context", "none";
    }

    /// A text with s5 markers; all of a key are opened by one call
    pub(crate) struct S5Fields {
        /// The transit engine's mount.
        mount: String = "mount", "`transit`";
        /// The key.
        key: String = "key", "`default`";
        /// The value that holds the text.
        from: Box<SourceValueFields> = "from", "this or the object's `content`";
    }

    /// Any path of any engine
    pub(crate) struct RequestFields {
        /// The API path, with or without `v1/`; what follows `?` is the query.
        path: String = "path", "required";
        /// The HTTP method, sent as it is written.
        method: String = "method", "`GET`";
        /// The JSON body.
        args: Body = "args", "no body";
    }

    /// The sources: one of them in an object
    pub(crate) struct SourceFields {
        /// A secret of a KV engine.
        kv: KvFields = "kv", "";
        /// A certificate, or the CAs of a mount.
        pki: PkiFields = "pki", "";
        /// One ciphertext of a transit engine.
        transit: TransitFields = "transit", "";
        /// A text with s5 markers.
        s5: S5Fields = "s5", "";
        /// Any path of any engine.
        request: RequestFields = "request", "";
        /// The namespace of this source.
        namespace: String = "vaultNamespace", "the class's";
        /// How old an answer of this source may be at a republish, or grow where vaultmount writes the files; the shortest counts where several objects name it.
        refresh: Age = "refresh", "the class's";
        /// Whose the thing is that the source makes; without effect on what is only read.
        share: ShareScope = "shareScope", "the class's";
    }

    /// Which part of an answer
    pub(crate) struct SelectorFields {
        /// The member of that name.
        secret_key: String = "secretKey", "the whole";
        /// The way to a value as a JSON pointer (RFC 6901): `/primary/host`.
        pointer: String = "pointer", "the whole";
        /// Where key, pointer, keys and format begin: the secret's own `data`, its `metadata` (KV version 2), or the whole `response`.
        from: SelectorRoot = "from", "`data`";
        /// How the value's text stands for bytes.
        encoding: Encoding = "encoding", "`utf-8`";
    }

    /// One file, or a directory of files
    pub(crate) struct FileFields {
        /// The file's path in the volume.
        object_name: String = "objectName", "this or `directory`";
        /// A directory for one file a key; `.` is the volume itself.
        directory: String = "directory", "this or `objectName`";
        /// Which keys become files of `directory`: `"*"` for all, a list, or a mapping from key to file name.
        keys: Keys = "keys", "`\"*\"`";
        /// The whole as one document, data only.
        format: Format = "format", "see below";
        /// Which part of a certificate.
        part: PartName = "part", "required with `pki`, unless a value or keys are picked";
        /// How a private key is written: for any algorithm, for RSA, for EC.
        key_form: KeyForm = "keyFormat", "`pkcs8`";
        /// The format of a truststore.
        store_form: StoreForm = "storeType", "`pkcs12`";
        /// The value that holds a keystore's password.
        password: SourceValueFields = "password", "required for keystores";
        /// The name of a keystore's entry.
        alias: String = "alias", "`certificate`, in a truststore `ca`";
        /// `true`: no file where nothing is found; a denial or an outage is still an error.
        optional: bool = "optional", "`false`";
        /// The file's text where nothing is found.
        default: String = "default", "none";
        /// The file's mode, 0 to 0777; 0 is the default.
        mode: Mode = "filePermission", "the class's";
        /// The file's owner, a uid.
        owner: Id = "owner", "the class's";
        /// The file's group, a gid.
        group: Id = "group", "the class's";
    }

    /// What stands in an object beside its source and its file
    pub(crate) struct ObjectFields {
        /// Several files of one source, instead of the object's own.
        files: Vec<MemberFields> = "files", "none";
        /// Several sources by name, for `template`.
        sources: BTreeMap<String, SourceValueFields> = "sources", "none";
        /// The file's text with expressions over `sources`.
        template: String = "template", "none";
        /// What surrounds expressions, two words: `[[ ]]`.
        delimiters: String = "delimiters", "`{{ }}`";
        /// The text with markers, for `s5`.
        content: String = "content", "none";
    }
}

/// A source and which part of its answer: the value of `password`, of `from`, or of a template's name.
pub(crate) struct SourceValueFields {
    pub(crate) source: SourceFields,
    pub(crate) flat: FlatFields,
    pub(crate) pick: SelectorFields,
}

/// A member of `files`.
pub(crate) struct MemberFields {
    pub(crate) file: FileFields,
    pub(crate) pick: SelectorFields,
}

shape! {
    /// The peers' own form of `request`
    pub(crate) struct FlatFields {
        /// The API path, with or without `v1/`; what follows `?` is the query; KV version 2 needs its `data/`.
        path: String = "secretPath", "this or another source";
        /// The HTTP method, sent as it is written.
        method: String = "method", "`GET`";
        /// The JSON body.
        args: Body = "secretArgs", "no body";
    }
}

/// Declares a mapping that is several shapes at once.
macro_rules! joined {
    ($name:ident, $told:literal, $about:literal, $($part:ident: $shape:ident),+) => {
        impl Read for $name {
            fn kind() -> Kind {
                crate::class::schema::field::mapping($told, $about, &[$($shape::FIELDS),+])
            }

            fn read(item: &Item, at: &mut At<'_>) -> Option<Self> {
                let mut fields = crate::class::schema::field::Fields::of(item, at)?;
                let whole = Self { $($part: $shape::take(&mut fields, at)),+ };
                fields.end(at);
                Some(whole)
            }
        }
    };
}
joined!(MemberFields, "file", "One file of a source", file: FileFields, pick: SelectorFields);

impl Read for SourceValueFields {
    /// Told without its own members: a source may hold a value again, and a schema of all levels would have no end.
    fn kind() -> Kind {
        Kind::new("value", json!({"$ref": "#/$defs/value"}))
    }

    fn read(item: &Item, at: &mut At<'_>) -> Option<Self> {
        let mut fields = crate::class::schema::field::Fields::of(item, at)?;
        let whole = Self {
            source: SourceFields::take(&mut fields, at),
            flat: FlatFields::take(&mut fields, at),
            pick: SelectorFields::take(&mut fields, at),
        };
        fields.end(at);
        Some(whole)
    }
}

/// A value inside of a source, which a value may hold again.
impl Read for Box<SourceValueFields> {
    fn kind() -> Kind {
        SourceValueFields::kind()
    }

    fn read(item: &Item, at: &mut At<'_>) -> Option<Self> {
        SourceValueFields::read(item, at).map(Self::new)
    }
}

/// All fields of an object, shape by shape, and where they may stand.
pub(crate) const OBJECT: [(&str, &[Field]); 5] = [
    ("object, `files`", FileFields::FIELDS),
    ("object, `files`, value", SelectorFields::FIELDS),
    ("object, value", SourceFields::FIELDS),
    ("object, value", FlatFields::FIELDS),
    ("object", ObjectFields::FIELDS),
];

/// The fields of the mappings below an object's own, and where they stand.
pub(crate) const BELOW: [(&str, &[Field]); 5] = [
    ("`kv`", KvFields::FIELDS),
    ("`pki`", PkiFields::FIELDS),
    ("`transit`", TransitFields::FIELDS),
    ("`s5`", S5Fields::FIELDS),
    ("`request`", RequestFields::FIELDS),
];

/// The fields of a value.
pub(crate) const VALUE: [&[Field]; 3] = [SourceFields::FIELDS, FlatFields::FIELDS, SelectorFields::FIELDS];
