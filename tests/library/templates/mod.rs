//! Templates in real child processes of the real binary.

mod examples; // the result of each filter, as the documentation shows it
mod limits; // time, memory and stack of a child
mod child; // output and environment of a child

use std::time::Duration;

use crate::secret::{Secret, WipedMap};
use crate::spec::Delimiters;
use crate::template::{Job, Renderer, TemplateError};
use serde_json::Value;

pub(crate) const CANARY: &str = "c4n4ry-of-a-secret";

pub(crate) fn renderer() -> Renderer {
    Renderer::of(crate::library::binary())
}

pub(crate) fn soon() -> tokio::time::Instant {
    tokio::time::Instant::now() + Duration::from_secs(20)
}

pub(crate) fn members(sources: &Value) -> WipedMap {
    sources.as_object().unwrap().clone().into()
}

pub(crate) type Answers = Result<Vec<Result<Secret, TemplateError>>, TemplateError>;

pub(crate) async fn answers(texts: &[&str], sources: &Value) -> Answers {
    let braces = Delimiters::default();
    let jobs: Vec<_> =
        texts.iter().map(|text| Job { text, delimiters: &braces, sources: members(sources) }).collect();
    renderer().render(&jobs, soon()).await
}

pub(crate) async fn rendered(text: &str, sources: &Value) -> Result<String, TemplateError> {
    let text = answers(&[text], sources).await?.remove(0)?;
    Ok(text.expose_text().unwrap().to_owned())
}
