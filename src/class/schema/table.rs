//! The fields of every mapping in `objects`: the one table of their names, types, defaults and meanings.

use std::collections::BTreeMap;

use serde_json::json;

use crate::class::schema::field::{Field, FieldContext, FieldValue, Kind, shape};
use crate::class::schema::keywords::{KeyOrigin, Keys, PartName};
use crate::class::schema::values::{Age, Id, Mode, TextList, Version};
use crate::goyaml::Item;
use crate::spec::{
    Body, Encoding, Format, KeyForm, KeyType, SelectorRoot, ShareScope, StoreForm, TextSyntax,
};

shape! {
    /// A secret of a KV engine, read by one GET request
    pub(crate) struct KvFields {
        /// The engine's mount.
        mount: String = MOUNT "mount", "required";
        /// The secret's path below the mount, without `data/`; may hold `${POD_NAME}` and its like.
        path: String = PATH "path", "required";
        /// The version to read; `-1` is the one before the newest.
        version: Version = VERSION "version", "the newest";
        /// The version of the engine: 1 has no versions of secrets.
        engine: u32 = ENGINE_VERSION "engineVersion", "2";
    }

    /// A certificate, or the CAs of a mount
    pub(crate) struct PkiFields {
        /// The engine's mount.
        mount: String = MOUNT "mount", "required";
        /// The role, which decides what may be requested.
        role: String = ROLE "role", "required without `ca`";
        /// The subject's common name; may hold `${POD_NAME}` and its like.
        common_name: String = COMMON_NAME "commonName", "none";
        /// Further DNS names and mail addresses; may hold `${POD_NAME}` and its like.
        alt_names: TextList = ALT_NAMES "altNames", "none";
        /// IP addresses.
        ip_sans: TextList = IP_SANS "ipSans", "none";
        /// URIs, such as a SPIFFE ID; may hold `${POD_NAME}` and its like.
        uri_sans: TextList = URI_SANS "uriSans", "none";
        /// Lifetime of the certificate: seconds, or numbers with the units `s`, `m`, `h`, `d`.
        ttl: String = TTL "ttl", "the role's";
        /// The end of the certificate in place of `ttl`, in UTC: `2030-01-31T00:00:00Z`.
        not_after: String = NOT_AFTER "notAfter", "by `ttl`";
        /// `true` leaves the common name out of the DNS names and mail addresses.
        exclude_cn: bool = EXCLUDE_CN "excludeCnFromSans", "`false`";
        /// Further names of a type that has an OID: `1.3.6.1.4.1.311.20.2.3;UTF8:web@example.com`; may hold `${POD_NAME}` and its like.
        other_sans: TextList = OTHER_SANS "otherSans", "none";
        /// The subject's `serialNumber`; the serial number of the certificate is up to Vault.
        serial_number: String = SERIAL_NUMBER "serialNumber", "none";
        /// The subject's user ids; may hold `${POD_NAME}` and its like.
        user_ids: TextList = USER_IDS "userIds", "none";
        /// The name or the id of the CA that signs; the policy then needs `<mount>/issuer/<issuer>/issue/<role>`.
        issuer: String = ISSUER "issuer", "the role's";
        /// Who generates the private key: `vault` with `issue`, or `node` with `sign`; with `node` the key never leaves the node.
        private_key: KeyOrigin = PRIVATE_KEY "privateKey", "`vault`";
        /// The key's type. With `privateKey: vault` the role must allow the choice (`key_type=any`, OpenBao only) or have the same type.
        key_type: KeyType = KEY_TYPE "keyType", "`ec-p256` with `node`, the role's with `vault`";
        /// `true` reads the mount's CAs and issues nothing.
        ca: bool = CA "ca", "`false`";
    }

    /// One ciphertext of a transit engine; one request decrypts all ciphertexts of a key
    pub(crate) struct TransitFields {
        /// The engine's mount.
        mount: String = MOUNT "mount", "`transit`";
        /// The key.
        key: String = KEY "key", "required";
        /// The result of `encrypt`, `vault:v1:...`.
        ciphertext: String = CIPHERTEXT "ciphertext", "this or `from`";
        /// The value that contains the ciphertext.
        from: Box<SourceValueFields> = FROM "from", "this or `ciphertext`";
        /// Base64 of the context of a derived key.
        context: String = CONTEXT "context", "none";
    }

    /// A text with s5 markers; one request decrypts all markers of a key
    pub(crate) struct S5Fields {
        /// The transit engine's mount.
        mount: String = MOUNT "mount", "`transit`";
        /// The key.
        key: String = KEY "key", "`default`";
        /// The value that contains the text.
        from: Box<SourceValueFields> = FROM "from", "this or the object's `content`";
    }

    /// Any path of any engine
    pub(crate) struct RequestFields {
        /// The API path, with or without `v1/`; `?` starts the query; may hold `${POD_NAME}` and its like.
        path: String = PATH "path", "required";
        /// The HTTP method, sent as written.
        method: String = METHOD "method", "`GET`";
        /// The JSON body; its texts may hold `${POD_NAME}` and its like.
        args: Body = ARGS "args", "no body";
    }

    /// The source: exactly one in an object
    pub(crate) struct SourceFields {
        /// A secret of a KV engine.
        kv: KvFields = KV "kv", "";
        /// A certificate, or the CAs of a mount.
        pki: PkiFields = PKI "pki", "";
        /// One ciphertext of a transit engine.
        transit: TransitFields = TRANSIT "transit", "";
        /// A text with s5 markers.
        s5: S5Fields = S5 "s5", "";
        /// Any path of any engine.
        request: RequestFields = REQUEST "request", "";
        /// The namespace of this source.
        namespace: String = VAULT_NAMESPACE "vaultNamespace", "the class's";
        /// Maximum age of the response of this source at a republish, or in files that vaultmount writes; of several objects with the same source, the shortest counts.
        refresh: Age = REFRESH "refresh", "the class's";
        /// Who uses what Vault issues for this source; has no effect on reads.
        share: ShareScope = SHARE_SCOPE "shareScope", "the class's";
    }

    /// Which part of a response
    pub(crate) struct SelectorFields {
        /// The key of the value.
        secret_key: String = SECRET_KEY "secretKey", "the whole";
        /// The path to a value as a JSON pointer (RFC 6901): `/primary/host`.
        pointer: String = POINTER "pointer", "the whole";
        /// The selected text holds a document, which is parsed; `pointer` continues inside it, also beside `secretKey`.
        parse: TextSyntax = PARSE "parse", "the text as it is";
        /// Where `secretKey`, `pointer`, `keys` and `format` begin: the secret's `data`, its `metadata` (KV version 2), or the whole `response`.
        from: SelectorRoot = FROM "from", "`data`";
        /// How the value encodes bytes.
        encoding: Encoding = ENCODING "encoding", "`utf-8`";
    }

    /// What replaces a source of a template that is missing
    pub(crate) struct AbsentFields {
        /// `true`: the template is rendered without the source if Vault has no such secret or key; a whole secret is then an empty map.
        optional: bool = OPTIONAL "optional", "`false`";
        /// The text in place of the source if Vault has no such secret or key.
        default: String = DEFAULT "default", "none";
    }

    /// One file, or a directory of files
    pub(crate) struct FileFields {
        /// The file's path in the volume; may hold `${POD_NAME}` and its like, except beside `secretPath`.
        object_name: String = OBJECT_NAME "objectName", "this or `directory`";
        /// A directory with one file for each key; `.` is the volume itself.
        directory: String = DIRECTORY "directory", "this or `objectName`";
        /// Which keys become files of `directory`: `"*"` for all, a list, or a mapping from key to file name.
        keys: Keys = KEYS "keys", "`\"*\"`";
        /// Writes all data of the secret as one document.
        format: Format = FORMAT "format", "see below";
        /// Which part of a certificate.
        part: PartName = PART "part", "required with `pki`, unless a value or keys are selected";
        /// The format of a private key: for any algorithm, for RSA, for EC.
        key_form: KeyForm = KEY_FORMAT "keyFormat", "`pkcs8`";
        /// The format of a truststore.
        store_form: StoreForm = STORE_TYPE "storeType", "`pkcs12`";
        /// The value that contains the password of a keystore.
        password: SourceValueFields = PASSWORD "password", "required for keystores";
        /// The name of a keystore's entry.
        alias: String = ALIAS "alias", "`certificate`, in a truststore `ca`";
        /// `true`: no file if Vault has no such secret or key; a denied request or an outage is still an error.
        optional: bool = OPTIONAL "optional", "`false`";
        /// The file's text if Vault has no such secret or key.
        default: String = DEFAULT "default", "none";
        /// The file's mode, 0 to 0777; 0 is the default.
        mode: Mode = FILE_PERMISSION "filePermission", "the class's";
        /// The file's owner, a uid.
        owner: Id = OWNER "owner", "the class's";
        /// The file's group, a gid.
        group: Id = GROUP "group", "the class's";
    }

    /// The fields of an object besides its source and its file
    pub(crate) struct ObjectFields {
        /// Several files of the same source, instead of one.
        files: Vec<MemberFields> = FILES "files", "none";
        /// Several sources by name, for `template`.
        sources: BTreeMap<String, SourceValueFields> = SOURCES "sources", "none";
        /// The file's text with expressions over `sources`.
        template: String = TEMPLATE "template", "none";
        /// The delimiters of expressions, two words: `[[ ]]`.
        delimiters: String = DELIMITERS "delimiters", "`{{ }}`";
        /// The text with markers, for `s5`.
        content: String = CONTENT "content", "none";
    }
}

/// A source, and the part of its response: the value of `password`, of `from`, or of a name in `sources`.
pub(crate) struct SourceValueFields {
    pub(crate) source: SourceFields,
    pub(crate) upstream: UpstreamFields,
    pub(crate) selector: SelectorFields,
    pub(crate) absent: AbsentFields,
}

/// A member of `files`.
pub(crate) struct MemberFields {
    pub(crate) file: FileFields,
    pub(crate) selector: SelectorFields,
}

shape! {
    /// The form of `request` that the upstream providers have
    pub(crate) struct UpstreamFields {
        /// The API path, with or without `v1/`; `?` starts the query; KV version 2 needs `data/`.
        path: String = SECRET_PATH "secretPath", "this or another source";
        /// The HTTP method, sent as written.
        method: String = METHOD "method", "`GET`";
        /// The JSON body.
        args: Body = SECRET_ARGS "secretArgs", "no body";
    }
}

/// Declares a mapping with the fields of several shapes.
macro_rules! joined {
    ($name:ident, $type_description:literal, $about:literal, $($part:ident: $shape:ident),+) => {
        impl FieldValue for $name {
            fn kind() -> Kind {
                crate::class::schema::field::mapping($type_description, $about, &[$($shape::FIELDS),+])
            }

            fn parse(item: &Item, at: &mut FieldContext<'_>) -> Option<Self> {
                let mut fields = crate::class::schema::field::Fields::of(item, at)?;
                let whole = Self { $($part: $shape::take(&mut fields, at)),+ };
                fields.finish(at);
                Some(whole)
            }
        }
    };
}
joined!(MemberFields, "file", "One file of a source", file: FileFields, selector: SelectorFields);

impl FieldValue for SourceValueFields {
    /// A reference to the definition of a value: a source may contain a value again, and a schema of all levels would be infinite.
    fn kind() -> Kind {
        Kind::new("value", json!({"$ref": "#/$defs/value"}))
    }

    fn parse(item: &Item, at: &mut FieldContext<'_>) -> Option<Self> {
        let mut fields = crate::class::schema::field::Fields::of(item, at)?;
        let whole = Self {
            source: SourceFields::take(&mut fields, at),
            upstream: UpstreamFields::take(&mut fields, at),
            selector: SelectorFields::take(&mut fields, at),
            absent: AbsentFields::take(&mut fields, at),
        };
        fields.finish(at);
        Some(whole)
    }
}

/// A value inside a source. Boxed, because the source is itself part of a value.
impl FieldValue for Box<SourceValueFields> {
    fn kind() -> Kind {
        SourceValueFields::kind()
    }

    fn parse(item: &Item, at: &mut FieldContext<'_>) -> Option<Self> {
        SourceValueFields::parse(item, at).map(Self::new)
    }
}

/// All fields of an object, and the mappings that may contain them.
pub(crate) const OBJECT: [(&str, &[Field]); 5] = [
    ("object, `files`", FileFields::FIELDS),
    ("object, `files`, value", SelectorFields::FIELDS),
    ("object, value", SourceFields::FIELDS),
    ("object, value", UpstreamFields::FIELDS),
    ("object", ObjectFields::FIELDS),
];

/// The fields of the mappings inside an object, and the name of each mapping.
pub(crate) const BELOW: [(&str, &[Field]); 5] = [
    ("`kv`", KvFields::FIELDS),
    ("`pki`", PkiFields::FIELDS),
    ("`transit`", TransitFields::FIELDS),
    ("`s5`", S5Fields::FIELDS),
    ("`request`", RequestFields::FIELDS),
];

/// The fields of a value.
#[cfg(test)]
pub(crate) const VALUE: [&[Field]; 4] =
    [SourceFields::FIELDS, UpstreamFields::FIELDS, SelectorFields::FIELDS, AbsentFields::FIELDS];

/// The fields of a value in `sources`.
#[cfg(test)]
pub(crate) const OF_SOURCES: [(&str, &[Field]); 1] = [("value of `sources`", AbsentFields::FIELDS)];
