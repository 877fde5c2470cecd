//! The tokens of a mount, and a new login after a denial.

use std::sync::Arc;

use super::FetchContext;
use crate::engine::{EngineError, FetchError, FetchResult};
use crate::error::Reason;
use crate::limits::Budget;
use crate::spec::{LoginScope, PodToken, ShareScope, Source};
use crate::tokens::{LoginKey, Scope, VaultToken};
use crate::vault::VaultError;

impl FetchContext {
    /// Makes `call` with `token`. If Vault denies it and a new login may help, logs in and makes the call once more. Returns the outcome with the
    /// token that the call was made with; fails when the new login fails.
    pub(super) async fn call_as<T: CallOutcome, F: Future<Output = T>>(
        &self,
        token: Arc<VaultToken>,
        source: &Source,
        budget: &Budget,
        call: impl Fn(Arc<VaultToken>) -> F,
    ) -> Result<(Arc<VaultToken>, T), VaultError> {
        let outcome = call(Arc::clone(&token)).await;
        if !outcome.is_denied() {
            if outcome.is_answered() {
                token.remove_denial(source);
            }
            return Ok((token, outcome));
        }
        let Some(new) = self.reauthenticate(&token, source, budget).await else {
            return Ok((token, outcome));
        };
        let new = new?;
        let outcome = call(Arc::clone(&new)).await;
        if outcome.is_denied() {
            new.add_denial(source);
        } else {
            new.remove_denial(source);
        }
        Ok((new, outcome))
    }

    /// A token in place of `token`, which Vault may have revoked. `None` when the denial is the policy's: the token was obtained for this mount,
    /// or it was denied the same source while it was new, and is still valid.
    async fn reauthenticate(
        &self,
        token: &Arc<VaultToken>,
        source: &Source,
        budget: &Budget,
    ) -> Option<Result<Arc<VaultToken>, VaultError>> {
        self.identity.token.as_ref()?;
        if token.authenticated_at() >= self.began {
            token.add_denial(source);
            return None;
        }
        let was_denied = token.was_denied(source);
        if was_denied && token.is_valid(budget).await {
            return None;
        }
        let new = self.obtain(token.key(), Some(token), budget).await;
        if let Ok(new) = &new {
            if was_denied {
                new.learn_self_lookup(budget).await;
            }
            self.volume.replace_reader(token, new);
        }
        Some(new)
    }

    /// The token that reads.
    pub(super) async fn reading_token(&self, budget: &Budget) -> Result<Arc<VaultToken>, VaultError> {
        let token = self.reader.get_or_try_init(|| async {
            let scope = match self.spec.login {
                LoginScope::Shared => Scope::Account,
                LoginScope::Pod | LoginScope::Transient => Scope::Pod(self.spec.pod.uid.clone()),
            };
            let key = self.login_key(scope);
            if self.volumes.inline && self.spec.server.configured {
                return self.volumes.logins.inline(&key, self.pod_token()?);
            }
            if self.spec.login == LoginScope::Transient {
                return self.volumes.logins.unshared(&key, self.pod_token()?, budget).await;
            }
            let token = self.obtain(&key, None, budget).await?;
            self.volume.state().reader = Some(Arc::clone(&token));
            Ok(token)
        });
        token.await.cloned()
    }

    /// The token that creates leases: the volume's own, or its group's.
    pub(super) async fn leasing_token(
        &self,
        share: ShareScope,
        budget: &Budget,
    ) -> Result<Arc<VaultToken>, VaultError> {
        let (cell, scope) = match share {
            ShareScope::Pod => (&self.own, Scope::Volume(self.volume.id().name())),
            ShareScope::ServiceAccount => (&self.group, Scope::Group),
        };
        let key = self.login_key(scope);
        cell.get_or_try_init(|| self.obtain(&key, None, budget)).await.cloned()
    }

    /// The token of `key` other than `except`: an existing one, or that of a new login if the mount has a service account token.
    async fn obtain(
        &self,
        key: &LoginKey,
        except: Option<&Arc<VaultToken>>,
        budget: &Budget,
    ) -> Result<Arc<VaultToken>, VaultError> {
        let (logins, pod_uid) = (&self.volumes.logins, &self.spec.pod.uid);
        match self.pod_token() {
            Ok(pod_token) => logins.obtain(key, pod_uid, pod_token, except, budget).await,
            Err(no_token) => logins.existing(key, pod_uid).ok_or(no_token),
        }
    }

    pub(super) fn login_key(&self, scope: Scope) -> LoginKey {
        LoginKey::new(&self.spec, self.identity.account_uid.clone(), scope)
    }

    fn pod_token(&self) -> Result<&Arc<PodToken>, VaultError> {
        let none = || VaultError::NoToken { doing: format!("log in at auth/{}", self.spec.auth.mount) };
        self.identity.token.as_ref().ok_or_else(none)
    }
}

/// The outcome of a call, as far as it shows what the token's policy allows.
pub(super) trait CallOutcome {
    /// Whether Vault denied it.
    fn is_denied(&self) -> bool;

    /// Whether Vault allowed it.
    fn is_answered(&self) -> bool;
}

impl<T> CallOutcome for Result<T, FetchError> {
    fn is_denied(&self) -> bool {
        self.as_ref().is_err_and(|error| error.reason == Reason::ReadDenied)
    }

    fn is_answered(&self) -> bool {
        self.is_ok()
    }
}

impl<T> CallOutcome for Result<T, EngineError> {
    fn is_denied(&self) -> bool {
        self.as_ref().is_err_and(|error| error.reason() == Reason::ReadDenied)
    }

    fn is_answered(&self) -> bool {
        self.is_ok()
    }
}

/// One call with a ciphertext for each source: denied when all of them are.
impl CallOutcome for Vec<(&Source, FetchResult)> {
    fn is_denied(&self) -> bool {
        self.iter().all(|(_, outcome)| outcome.is_denied())
    }

    fn is_answered(&self) -> bool {
        self.iter().any(|(_, outcome)| outcome.is_answered())
    }
}
