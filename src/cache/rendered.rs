//! What came of a volume's templates: written anew only when what they are written from has changed.

use crate::mutex::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::FetchError;
use crate::secret::Secret;
use crate::spec::{Digest, MountPath};

/// How long a template's failure is believed.
const FAILED: Duration = Duration::from_secs(300);

/// Bytes of one text that is kept: configuration files are far below.
const TEXT: usize = 256 * 1024;

/// The texts of one volume, by their files.
#[derive(Default)]
pub struct RenderedCache(Mutex<HashMap<MountPath, Rendered>>);

struct Rendered {
    inputs: Digest,
    outcome: Result<Arc<Secret>, FetchError>,
    at: Instant,
}

impl RenderedCache {
    /// What came of the template `name`, when it was written from the same `inputs`; a failure counts for a while, lest a template that
    /// takes all of its second takes it again at every try.
    pub fn get(&self, name: &MountPath, inputs: &Digest) -> Option<Result<Arc<Secret>, FetchError>> {
        let texts = self.0.lock();
        let kept = texts.get(name)?;
        let counts = kept.outcome.is_ok() || kept.at.elapsed() < FAILED;
        (counts && kept.inputs == *inputs).then(|| kept.outcome.clone())
    }

    /// Keeps what came of a template until its inputs change, unless it is large.
    pub fn keep(&self, name: &MountPath, inputs: Digest, outcome: &Result<Arc<Secret>, FetchError>) {
        if outcome.as_ref().is_ok_and(|text| text.len() > TEXT) {
            return;
        }
        let text = Rendered { inputs, outcome: outcome.clone(), at: Instant::now() };
        self.0.lock().insert(name.clone(), text);
    }

    /// Forgets what `wanted` refuses.
    pub(crate) fn only(&self, wanted: impl Fn(&MountPath) -> bool) {
        self.0.lock().retain(|name, _| wanted(name));
    }

    pub(crate) fn bytes(&self) -> usize {
        let texts = self.0.lock();
        texts.values().filter_map(|text| text.outcome.as_ref().ok()).map(|text| text.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Reason;

    fn name() -> MountPath {
        "app.conf".parse().unwrap()
    }

    #[tokio::test]
    async fn a_text_is_that_of_its_inputs() {
        let texts = RenderedCache::default();
        texts.keep(&name(), [1; 32], &Ok(Arc::new(Secret::from("text"))));
        assert!(
            texts.get(&name(), &[1; 32]).is_some_and(|text| text.is_ok_and(|text| text.expose() == b"text"))
        );
        assert!(texts.get(&name(), &[2; 32]).is_none(), "other inputs");
        assert!(texts.get(&"other.conf".parse().unwrap(), &[1; 32]).is_none(), "another file");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_believed_for_five_minutes() {
        let texts = RenderedCache::default();
        texts.keep(
            &name(),
            [1; 32],
            &Err(FetchError { reason: Reason::RenderFailed, what: "too much".into() }),
        );
        assert!(texts.get(&name(), &[1; 32]).is_some_and(|outcome| outcome.is_err()));
        tokio::time::advance(FAILED).await;
        assert!(texts.get(&name(), &[1; 32]).is_none());
    }

    #[tokio::test]
    async fn what_is_large_is_not_kept() {
        let texts = RenderedCache::default();
        texts.keep(&name(), [1; 32], &Ok(Arc::new(Secret::from(vec![0; TEXT + 1]))));
        assert!(texts.get(&name(), &[1; 32]).is_none());
    }
}
