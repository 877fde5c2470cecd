//! Words of other tools, and words in the wrong place: what to write instead. The words are recognised for messages, and never accepted.

use crate::class::parameter_table::{PARAMETERS, Parameter};
use crate::class::schema::table::{BELOW, OBJECT};
use crate::class::spelling::nearest;
use crate::spec::Flavor;

/// Several words, and their advice.
type Row = (&'static str, &'static str);

/// Words in an object, without `_` and `-` and in lower case. Sources: the AWS, Azure, GCP and upstream providers, External Secrets, Vault Secrets Operator, the
/// Agent, Kubernetes' own volumes, cert-manager, ESO and vault-crd.
const IN_OBJECT: &[Row] = &[
    ("key keyname property secretkeyname subpath jsonkey datakey fieldname field", "use secretKey"),
    (
        "jmespath jsonpath extract parsepath",
        "use `pointer` for one value inside the secret, or `files` with a `pointer` each",
    ),
    (
        "name filename objectalias destination dest file target targetpath mountpath outputpath localpath",
        "use objectName, the file's path in the volume",
    ),
    (
        "mode defaultmode permission permissions perms perm filemode chmod filepermissions",
        "use filePermission, in octal: 0440",
    ),
    ("gid fsgroup groupid runasgroup", "use group"),
    ("uid userid user runasuser ownerid", "use owner"),
    (
        "objectpath vaultpath secretname resourcename remotekey secretref secretid apipath",
        "use secretPath, or `kv` with `mount` and `path`",
    ),
    ("remoteref", "use secretPath, or `kv` with `mount` and `path`, and secretKey"),
    ("path", "use objectName for the file, and secretPath, `kv` or `request` for the secret"),
    (
        "objecttype type secrettype enginetype engine backend",
        "use the field of the engine: kv, pki, transit, s5, or request for any other",
    ),
    (
        "version objectversion secretversion objectversionlabel kvversion",
        "write `version` in `kv`, or `?version=N` at the end of secretPath",
    ),
    ("objectencoding decode decoding decodingstrategy base64 base64decode", "use encoding: base64 or hex"),
    ("objectformat fileformat outputformat output", "use format: json, yaml, toml, env or properties"),
    (
        "refreshinterval refreshafter rotation rotationpollinterval pollinterval interval pollingperiod",
        "use refresh",
    ),
    ("dnsnames subjectaltnames sans subjectaltname", "use altNames in `pki`"),
    ("ipaddresses ips", "use ipSans in `pki`"),
    ("uris spiffeid", "use uriSans in `pki`"),
    ("cn", "use commonName in `pki`"),
    ("duration validity expiration", "use ttl in `pki`"),
    ("renewbefore reuseprivatekey", "leave it out: a certificate is replaced after 70 % of its lifetime"),
    ("issuerref", "name the issuer's mount and role in `pki`"),
    (
        "database aws azure gcp ssh ldap consul nomad rabbitmq totp kubernetes kmip terraform identity cubbyhole dynamic",
        "use `request` or secretPath with the API path, such as database/creds/ROLE",
    ),
    ("kvv1 kv1", "use kv with engineVersion: 1"),
    ("kvv2 kv2", "use kv"),
    ("data contents text templatebody tpl source", "use `template` with `sources`, or `content` with `s5`"),
    ("leftdelimiter rightdelimiter leftdelim rightdelim delims", "use delimiters, two words: \"[[ ]]\""),
    ("args params parameters payload requestbody body requestdata", "use secretArgs, or `args` in `request`"),
    ("httpmethod verb", "use method"),
    ("defaultvalue fallback valueifmissing", "use default"),
    (
        "required mandatory ignoremissing erroronmissingkey allowmissing failonmissing",
        "use optional: true, or default",
    ),
    ("namespace ns secretnamespace", "use vaultNamespace"),
    (
        "role vaultrole authrole",
        "write the role of a certificate in `pki`; the role of the login is the class's parameter roleName",
    ),
    ("keystore pkcs12 p12 jks truststore pfx", "use part: pkcs12, jks or truststore, with password"),
    (
        "storepassword keystorepassword passphrase passwordsecretref",
        "use password, with the source of the value",
    ),
    ("certificate fullchain certificatechain issuingca", "use part with this word"),
    ("secretobjects", "write it beside `parameters`, in the class's spec"),
    (
        "command exec postrender hook",
        "leave it out: vaultmount runs no command; the application watches its files",
    ),
    ("transformation transformations rewrite", "use `template` with `sources`"),
];

/// Words in `kv`.
const IN_KV: &[Row] = &[
    ("engine kvversion apiversion type versionofengine", "use engineVersion"),
    ("mountpath backend enginepath secretengine secretsengine enginename mountpoint", "use mount"),
    ("name secret secretname remotekey secretref", "use path"),
    ("secretpath", "use path, without `data/`"),
    ("key field property keyname", "use secretKey, beside `kv` in the object"),
    ("secretversion objectversion", "use version"),
    ("namespace ns", "use vaultNamespace, beside `kv` in the object"),
    (
        "list folder all",
        "use directory with keys: \"*\", beside `kv` in the object, for all keys of one secret",
    ),
];

/// Words in `pki`.
const IN_PKI: &[Row] = &[
    ("cn subject common", "use commonName"),
    ("dnsnames sans subjectaltnames altname dnssans domains hosts", "use altNames"),
    ("ipaddresses ips ipsan", "use ipSans"),
    ("uris spiffeid urisan", "use uriSans"),
    ("duration validity lifetime expiry expiration", "use ttl"),
    ("keyalgorithm algorithm keyalg keybits keysize size bits", "use keyType, such as ec-p256"),
    ("issuerref issuername", "use issuer"),
    ("format privatekeyformat encoding", "use part and keyFormat, beside `pki` in the object"),
    ("renewbefore", "leave it out: a certificate is replaced after 70 % of its lifetime"),
    ("mountpath backend enginepath path", "use mount, and role"),
    ("name rolename", "use role"),
    ("namespace ns", "use vaultNamespace, beside `pki` in the object"),
];

/// Words in `transit` and `s5`.
const IN_TRANSIT: &[Row] = &[
    ("keyname name transitkey", "use key"),
    (
        "value data cipher input encrypted secret text",
        "use ciphertext in `transit`, or `content` beside `s5`",
    ),
    ("mountpath backend enginepath path", "use mount"),
    ("derivationcontext", "use context"),
];

/// Words in `request`.
const IN_REQUEST: &[Row] = &[
    ("body data params parameters payload secretargs", "use args"),
    ("url uri endpoint secretpath apipath", "use path"),
    ("verb httpmethod", "use method"),
    ("headers header", "leave it out: headers cannot be set"),
];

/// Words among the parameters. `@` is the prefix of the socket's own parameters.
const IN_PARAMETERS: &[Row] = &[
    (
        "authpath authmount authmountpath mountpath mount kubernetesmountpath kubernetesmount authbackend kubernetesauthpath jwtmountpath",
        "use @AuthMountPath",
    ),
    ("role authrole kubernetesrole", "use roleName"),
    ("url addr address server endpoint host", "use @Address"),
    ("namespace ns", "use @Namespace"),
    (
        "cacert cabundle capath cafile ca tlscacert cacertpath cacertificate",
        "use @CACertPath, a file that the provider can read",
    ),
    (
        "skipverify tlsskipverify insecure insecureskipverify insecureskiptlsverify skiptlsverify",
        "use @SkipTLSVerify",
    ),
    ("sni servername tlsservername tlssni", "use @TLSServerName"),
    ("clientcert clientcertpath tlsclientcert tlscert", "use @TLSClientCertPath"),
    ("clientkey clientkeypath tlsclientkey tlskey", "use @TLSClientKeyPath"),
    ("mode defaultmode permission permissions filemode", "use filePermission"),
    ("gid fsgroup runasgroup", "use group"),
    ("uid user runasuser", "use owner"),
    ("secrets secret object array files data paths", "use objects"),
    ("secretobjects", "write it beside `parameters`, in the class's spec"),
    ("provider providername", "write it beside `parameters`, in the class's spec"),
    ("refreshinterval rotationpollinterval pollinterval refreshafter rotation interval", "use refresh"),
    ("aud audiences tokenaudience tokenaudiences", "use audience"),
    (
        "serviceaccount serviceaccountname serviceaccountref",
        "leave it out: the pod's own service account logs in",
    ),
    (
        "auth authmethod authtype method",
        "leave it out: logins use the pod's token; the auth mount is @AuthMountPath",
    ),
    ("token tokensecret tokenpath", "leave it out: logins use the pod's own token"),
    (
        "tenantid keyvaultname usepodidentity usevmmanagedidentity userassignedidentityid cloudname clientid",
        "leave it out: it is a parameter of the Azure provider",
    ),
    (
        "region failoverregion usepodidentityassociation pathtranslation preferredaddresstype",
        "leave it out: it is a parameter of the AWS provider",
    ),
    ("audiencepool", "leave it out: it is a parameter of the GCP provider"),
];

/// The words of the mapping `place`; `None` for an object, a member of `files` and a value.
fn rows(place: Option<&str>) -> &'static [Row] {
    match place {
        Some("`kv`") => IN_KV,
        Some("`pki`") => IN_PKI,
        Some("`transit`" | "`s5`") => IN_TRANSIT,
        Some("`request`") => IN_REQUEST,
        _ => IN_OBJECT,
    }
}

/// What to write instead of the field `name`, which is none of `known`; `None` if the word is like no other.
pub(crate) fn for_field(name: &str, known: &[&'static str]) -> Option<String> {
    let plain = plain(name);
    if let Some(known) = known.iter().find(|known| self::plain(known) == plain) {
        return Some(did_you_mean(known));
    }
    let place =
        BELOW.iter().find(|(_, fields)| fields.iter().map(|field| field.name).eq(known.iter().copied()));
    let place = place.map(|(place, _)| *place);
    let other = row(rows(place), &plain).map(str::to_owned).or_else(|| elsewhere(&plain, place));
    other
        .or_else(|| as_parameter(&plain))
        .or_else(|| nearest(name, known.iter().copied()).map(|word| did_you_mean(&word)))
        .or_else(|| nearest_elsewhere(name))
}

/// What to write instead of the parameter `name`, on a socket of `flavor`.
pub(crate) fn for_parameter(name: &str, flavor: Flavor) -> Option<String> {
    let prefixes = flavor.prefixes();
    let lower = plain(name);
    let bare = prefixes.iter().find_map(|prefix| lower.strip_prefix(prefix)).unwrap_or(&lower);
    let named = PARAMETERS.iter().find(|parameter| plain(parameter.name) == bare);
    if let Some(parameter) = named {
        return Some(did_you_mean(&full_name(parameter, prefixes[0])));
    }
    let other = row(IN_PARAMETERS, bare).map(|advice| advice.replace('@', prefixes[0]));
    other.or_else(|| as_field(&lower)).or_else(|| {
        // Of equally similar names the first counts: without a prefix the parameter that has none.
        let has_prefix = bare != lower;
        let alike = PARAMETERS.iter().filter(|parameter| parameter.prefixed == has_prefix);
        let all = || alike.clone().chain(PARAMETERS);
        let bare_name = nearest(bare, all().map(|parameter| parameter.name))?;
        let parameter = all().find(|parameter| parameter.name == bare_name)?;
        Some(did_you_mean(&full_name(parameter, prefixes[0])))
    })
}

fn did_you_mean(word: &str) -> String {
    format!("did you mean {word}?")
}

/// `word` in lower case, without `_` and `-`. Longer words are no field names.
fn plain(word: &str) -> String {
    word.chars().take(64).filter(|letter| !matches!(letter, '_' | '-')).flat_map(char::to_lowercase).collect()
}

fn row(rows: &'static [Row], plain: &str) -> Option<&'static str> {
    rows.iter().find(|(words, _)| words.split(' ').any(|word| word == plain)).map(|(_, advice)| *advice)
}

fn full_name(parameter: &Parameter, prefix: &str) -> String {
    if parameter.prefixed { format!("{prefix}{}", parameter.name) } else { parameter.name.to_owned() }
}

/// The advice for a field that other mappings than `place` have.
fn elsewhere(plain: &str, place: Option<&str>) -> Option<String> {
    let has = |fields: &[crate::class::schema::field::Field]| {
        fields.iter().find(|field| self::plain(field.name) == plain).map(|field| field.name)
    };
    if let Some(name) = OBJECT.iter().find_map(|(_, fields)| has(fields)) {
        return Some(match place {
            Some(place) => format!("write {name} beside {place}, in the object"),
            None => format!("write {name} in the object itself"),
        });
    }
    let found: Vec<_> =
        BELOW.iter().filter_map(|(place, fields)| has(fields).map(|name| (*place, name))).collect();
    let (_, name) = found.first()?;
    let places: Vec<_> = found.iter().map(|(place, _)| *place).collect();
    Some(format!("write {name} in {}", places.join(" or ")))
}

/// The advice for a field that is a parameter.
fn as_parameter(plain: &str) -> Option<String> {
    let named = |parameter: &Parameter| parameter.names().into_iter().find(|name| self::plain(name) == plain);
    let name = PARAMETERS.iter().find_map(named)?;
    Some(format!("write {name} among the class's parameters, beside `objects`"))
}

/// The advice for a parameter that is a field.
fn as_field(plain: &str) -> Option<String> {
    let is = |field: &&crate::class::schema::field::Field| self::plain(field.name) == plain;
    if let Some(field) = OBJECT.iter().flat_map(|(_, fields)| fields.iter()).find(is) {
        return Some(format!("write {} in an object of `objects`", field.name));
    }
    let (place, fields) = BELOW.iter().find(|(_, fields)| fields.iter().any(|field| is(&field)))?;
    let field = fields.iter().find(is)?;
    Some(format!("write {} in {place} of an object of `objects`", field.name))
}

/// The most similar field of any mapping.
fn nearest_elsewhere(name: &str) -> Option<String> {
    let all = BELOW.iter().flat_map(|(place, fields)| fields.iter().map(move |field| (field.name, *place)));
    let word = nearest(name, all.clone().map(|(name, _)| name))?;
    let (_, place) = all.clone().find(|(name, _)| *name == word)?;
    Some(format!("did you mean {word}, in {place}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_words_as_they_are_compared_and_none_twice() {
        for rows in [IN_OBJECT, IN_KV, IN_PKI, IN_TRANSIT, IN_REQUEST, IN_PARAMETERS] {
            let mut seen = std::collections::HashSet::new();
            for word in rows.iter().flat_map(|(words, _)| words.split(' ')) {
                assert!(word == plain(word) && seen.insert(word), "{word}");
            }
        }
    }

    #[test]
    fn a_word_of_the_table_is_no_field_of_its_place() {
        let object = OBJECT.iter().flat_map(|(_, fields)| fields.iter().map(|field| field.name));
        let below = |place| {
            BELOW.iter().filter(move |(name, _)| *name == place).flat_map(|(_, fields)| fields.iter())
        };
        for (rows, known) in [
            (IN_OBJECT, object.collect::<Vec<_>>()),
            (IN_KV, below("`kv`").map(|field| field.name).collect()),
            (IN_PKI, below("`pki`").map(|field| field.name).collect()),
            (IN_REQUEST, below("`request`").map(|field| field.name).collect()),
        ] {
            for word in rows.iter().flat_map(|(words, _)| words.split(' ')) {
                assert!(known.iter().all(|known| plain(known) != word), "{word}");
            }
        }
    }
}
