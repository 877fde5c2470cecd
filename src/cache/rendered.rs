//! Rendered templates of a volume. A template is rendered again only when its inputs have changed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::FetchError;
use crate::mutex::Mutex;
use crate::secret::Secret;
use crate::spec::{Digest, MountPath};

/// How long a template is not rendered again after a failure.
const FAILED: Duration = Duration::from_secs(300);

/// Bytes of the longest text that is stored. Configuration files are far shorter.
const TEXT: usize = 256 * 1024;

/// The texts of one volume, by file.
#[derive(Default)]
pub(crate) struct RenderedCache(Mutex<HashMap<MountPath, Rendered>>);

struct Rendered {
    inputs: Digest,
    outcome: Result<Arc<Secret>, FetchError>,
    at: Instant,
}

impl RenderedCache {
    /// The outcome of the template `name`, if it was rendered from the same `inputs`. A failure is returned for five minutes: a template that exceeds
    /// its time limit would use that time at every retry otherwise.
    pub(crate) fn get(&self, name: &MountPath, inputs: &Digest) -> Option<Result<Arc<Secret>, FetchError>> {
        let texts = self.0.lock();
        let rendered = texts.get(name)?;
        let counts = rendered.outcome.is_ok() || rendered.at.elapsed() < FAILED;
        (counts && rendered.inputs == *inputs).then(|| rendered.outcome.clone())
    }

    /// Stores the outcome of a template. Texts that are too long are not stored.
    pub(crate) fn insert(&self, name: &MountPath, inputs: Digest, outcome: &Result<Arc<Secret>, FetchError>) {
        if outcome.as_ref().is_ok_and(|text| text.len() > TEXT) {
            return;
        }
        let text = Rendered { inputs, outcome: outcome.clone(), at: Instant::now() };
        self.0.lock().insert(name.clone(), text);
    }

    /// Removes the files that are not `wanted`.
    pub(crate) fn retain(&self, wanted: impl Fn(&MountPath) -> bool) {
        self.0.lock().retain(|name, _| wanted(name));
    }

    /// Bytes of all texts.
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
    async fn a_template_with_other_inputs_is_rendered_again() {
        let texts = RenderedCache::default();
        texts.insert(&name(), [1; 32], &Ok(Arc::new(Secret::from("text"))));
        assert!(
            texts.get(&name(), &[1; 32]).is_some_and(|text| text.is_ok_and(|text| text.expose() == b"text"))
        );
        assert!(texts.get(&name(), &[2; 32]).is_none(), "other inputs");
        assert!(texts.get(&"other.conf".parse().unwrap(), &[1; 32]).is_none(), "another file");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_template_is_rendered_again_after_five_minutes() {
        let texts = RenderedCache::default();
        texts.insert(&name(), [1; 32], &Err(FetchError::new(Reason::RenderFailed, "too much")));
        assert!(texts.get(&name(), &[1; 32]).is_some_and(|outcome| outcome.is_err()));
        tokio::time::advance(FAILED).await;
        assert!(texts.get(&name(), &[1; 32]).is_none());
    }

    #[tokio::test]
    async fn a_long_text_is_not_stored() {
        let texts = RenderedCache::default();
        texts.insert(&name(), [1; 32], &Ok(Arc::new(Secret::from(vec![0; TEXT + 1]))));
        assert!(texts.get(&name(), &[1; 32]).is_none());
    }
}
