//! The pod's token that logs in, and the check that it belongs to the pod.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use zeroize::Zeroizing;

use crate::error::Reason;
use crate::secret::Secret;
use crate::spec::{Pod, PodToken};

/// Why the pod's token cannot log in. The names in messages are those of the attributes. The token's own claims are not verified, so they are
/// not shown.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenFault {
    #[error("csi.storage.k8s.io/serviceAccount.tokens is not the JSON that the kubelet writes")]
    Tokens,
    #[error("the token for audience {audience:?} is not a JWT with claims")]
    NoJwt { audience: String },
    #[error(
        "the token for audience {audience:?} is not of service account {account} (its claim {claim} has another value)"
    )]
    Account { audience: String, account: String, claim: &'static str },
    #[error("the token for audience {audience:?} is bound to a pod other than {pod}")]
    Pod { audience: String, pod: String },
    #[error("the token for audience {audience:?} of service account {account} has expired")]
    Expired { audience: String, account: String },
}

impl TokenFault {
    /// The stable cause.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Expired { .. } => Reason::TokenExpired,
            Self::Tokens | Self::NoJwt { .. } | Self::Account { .. } | Self::Pod { .. } => {
                Reason::TokenMismatch
            }
        }
    }
}

/// The token for `audience` among `tokens` (the kubelet's JSON); `None` if there is none. Its claims agree with `pod`.
///
/// Tokens for other audiences, such as clouds, are skipped while the JSON is parsed. The claims are not verified here, because Vault does that; the
/// check only refuses tokens that Vault might accept.
///
/// # Errors
/// The JSON is invalid, or the token is no JWT, belongs to another pod or account, or has expired.
pub(crate) fn choose(
    tokens: &str,
    audience: &str,
    pod: &Pod,
    now: SystemTime,
) -> Result<Option<PodToken>, TokenFault> {
    let mut json = serde_json::Deserializer::from_str(tokens);
    let token = TokenFor(audience).deserialize(&mut json).and_then(|token| json.end().map(|()| token));
    let Some(jwt) = token.map_err(|_| TokenFault::Tokens)? else { return Ok(None) };
    let claims = Claims::of(&jwt).ok_or(TokenFault::NoJwt { audience: audience.into() })?;
    claims.check(audience, pod, now)?;
    Ok(Some(claims.token(jwt, audience.into())))
}

impl PodToken {
    /// A token that Kubernetes issued for `audience`. Without readable claims, its uid and its end are unknown.
    pub(crate) fn issued(jwt: Secret, audience: String) -> Self {
        match Claims::of(&jwt) {
            Some(claims) => claims.token(jwt, audience),
            None => Self { jwt, audience, account_uid: None, expires: None },
        }
    }
}

/// The claims that Kubernetes writes into every service account token.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    /// Seconds since 1970, possibly with a fraction (RFC 7519, 4.1.4).
    exp: Option<f64>,
    #[serde(rename = "kubernetes.io")]
    kubernetes: Option<Kubernetes>,
}

#[derive(Deserialize)]
struct Kubernetes {
    namespace: Option<String>,
    serviceaccount: Option<Named>,
    pod: Option<Bound>,
}

#[derive(Deserialize)]
struct Named {
    name: Option<String>,
    uid: Option<String>,
}

/// Present only in a token that is bound to a pod. The token of the sync controller is not.
#[derive(Deserialize)]
struct Bound {
    uid: Option<String>,
}

impl Claims {
    fn of(jwt: &Secret) -> Option<Self> {
        let mut parts = jwt.expose_text()?.split('.');
        let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
        let claims = Zeroizing::new(URL_SAFE_NO_PAD.decode(claims).ok()?);
        serde_json::from_slice(&claims).ok().filter(|_| parts.next().is_none())
    }

    fn token(self, jwt: Secret, audience: String) -> PodToken {
        let account_uid = self.kubernetes.and_then(|inner| inner.serviceaccount?.uid);
        PodToken { jwt, audience, account_uid, expires: self.exp.and_then(expiry) }
    }

    fn check(&self, audience: &str, pod: &Pod, now: SystemTime) -> Result<(), TokenFault> {
        let audience = || audience.to_owned();
        let account = || format!("{}/{}", pod.namespace, pod.service_account);
        let other = |claim| TokenFault::Account { audience: audience(), account: account(), claim };
        let differs = |claim: Option<&String>, expected: &str| claim.is_some_and(|claim| claim != expected);
        let inner = self.kubernetes.as_ref();
        let name = inner.and_then(|inner| inner.serviceaccount.as_ref()?.name.as_ref());
        let uid = inner.and_then(|inner| inner.pod.as_ref()?.uid.as_ref());
        match () {
            () if self.sub != format!("system:serviceaccount:{}:{}", pod.namespace, pod.service_account) => {
                Err(other("sub"))
            }
            () if differs(inner.and_then(|inner| inner.namespace.as_ref()), &pod.namespace) => {
                Err(other("kubernetes.io/namespace"))
            }
            () if differs(name, &pod.service_account) => Err(other("kubernetes.io/serviceaccount/name")),
            () if differs(uid, &pod.uid) => Err(TokenFault::Pod {
                audience: audience(),
                pod: format!("{}/{} ({})", pod.namespace, pod.name, pod.uid),
            }),
            () if self.exp.is_some_and(|exp| has_expired(exp, now)) => {
                Err(TokenFault::Expired { audience: audience(), account: account() })
            }
            () => Ok(()),
        }
    }
}

/// The time of the claim `exp`; `None` if the number is not a valid time.
fn expiry(exp: f64) -> Option<SystemTime> {
    Duration::try_from_secs_f64(exp).ok().and_then(|since| UNIX_EPOCH.checked_add(since))
}

/// True if the time has passed, and if the number is not a valid time.
fn has_expired(exp: f64, now: SystemTime) -> bool {
    expiry(exp).is_none_or(|end| end <= now)
}

/// Parses `{"<audience>": {"token": "..", ..}, ..}` and returns the token for one audience.
struct TokenFor<'a>(&'a str);

#[derive(Deserialize)]
struct Passed {
    token: String,
}

impl<'de> DeserializeSeed<'de> for TokenFor<'_> {
    type Value = Option<Secret>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for TokenFor<'_> {
    type Value = Option<Secret>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tokens")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut tokens: A) -> Result<Self::Value, A::Error> {
        let mut chosen = None;
        while let Some(audience) = tokens.next_key::<String>()? {
            if audience == self.0 {
                chosen = Some(Secret::from(tokens.next_value::<Passed>()?.token));
            } else {
                tokens.next_value::<IgnoredAny>()?;
            }
        }
        Ok(chosen.filter(|token: &Secret| !token.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod() -> Pod {
        Pod {
            namespace: "team-a".into(),
            name: "web-1".into(),
            uid: "u1".into(),
            service_account: "web".into(),
        }
    }

    fn jwt(claims: &Value) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    fn chosen(claims: &Value) -> Result<Option<String>, Reason> {
        let tokens = json!({"sts.amazonaws.com": {"token": 5}, "vault": {"token": jwt(claims), "expirationTimestamp": "x"}}).to_string();
        let now = UNIX_EPOCH + Duration::from_secs(1000);
        let token = choose(&tokens, "vault", &pod(), now).map_err(|fault| fault.reason())?;
        Ok(token.map(|token| token.audience))
    }

    #[test]
    fn a_token_of_the_pod_or_of_its_account_is_accepted() {
        let whole = json!({"sub": "system:serviceaccount:team-a:web", "exp": 1001,
            "kubernetes.io": {"namespace": "team-a", "serviceaccount": {"name": "web", "uid": "s"}, "pod": {"name": "web-1", "uid": "u1"}}});
        let unbound = json!({"sub": "system:serviceaccount:team-a:web", "exp": 1e9,
            "kubernetes.io": {"namespace": "team-a", "serviceaccount": {"name": "web"}}});
        for claims in [whole, unbound, json!({"sub": "system:serviceaccount:team-a:web"})] {
            assert_eq!(chosen(&claims), Ok(Some("vault".into())), "{claims}");
        }
    }

    #[test]
    fn a_token_of_another_pod_or_an_expired_token_is_refused() {
        let sub = "system:serviceaccount:team-a:web";
        let cases = [
            (json!({"sub": "system:serviceaccount:team-b:web"}), Reason::TokenMismatch),
            (json!({"sub": "system:serviceaccount:team-a:admin"}), Reason::TokenMismatch),
            (json!({"sub": "someone"}), Reason::TokenMismatch),
            (json!({}), Reason::TokenMismatch),
            (json!({"sub": sub, "kubernetes.io": {"namespace": "team-b"}}), Reason::TokenMismatch),
            (
                json!({"sub": sub, "kubernetes.io": {"serviceaccount": {"name": "admin"}}}),
                Reason::TokenMismatch,
            ),
            (json!({"sub": sub, "kubernetes.io": {"pod": {"uid": "u2"}}}), Reason::TokenMismatch),
            (json!({"sub": sub, "exp": 1000}), Reason::TokenExpired),
            (json!({"sub": sub, "exp": -1}), Reason::TokenExpired),
            (json!({"sub": sub, "exp": 1e300}), Reason::TokenExpired),
            (json!({"sub": sub, "exp": "soon"}), Reason::TokenMismatch),
        ];
        for (claims, reason) in cases {
            assert_eq!(chosen(&claims), Err(reason), "{claims}");
        }
    }

    #[test]
    fn an_invalid_token_is_reported_without_its_text() {
        for token in ["canary", "a.b.c", "e30.canary.x", "a.b", "e30.e30.x.y"] {
            let tokens = json!({"vault": {"token": token}}).to_string();
            let fault = choose(&tokens, "vault", &pod(), UNIX_EPOCH).unwrap_err();
            assert_eq!(fault.to_string(), "the token for audience \"vault\" is not a JWT with claims");
        }
        for tokens in
            ["canary", "[]", "{\"vault\": {\"token\": \"canary\"}", "{\"vault\": \"canary\"}", "{} canary"]
        {
            let fault = choose(tokens, "vault", &pod(), UNIX_EPOCH).unwrap_err();
            assert!(!format!("{fault} {fault:?}").contains("canary"), "{fault}");
        }
        assert!(choose("{\"aws\": {\"token\": \"x\"}}", "vault", &pod(), UNIX_EPOCH).unwrap().is_none());
    }
}
