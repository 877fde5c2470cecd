//! Files written from several sources, in a process of their own: a template may loop and grow, and neither its
//! time nor its memory may be ours.

pub mod child; // the child's side: reads tasks, writes texts
pub mod engine; // one template -> one text
pub mod error; // why there is no text
pub mod filters; // what a template can do with a value
pub mod limits; // what the child takes from itself before it reads anything
pub mod numbers; // values of JSON as the engine knows them, and back
pub mod pem; // the blocks of a PEM text
pub mod protocol; // what the two sides say to each other
pub mod renderer; // the parent's side: starts the child, asks, holds the answer against the question

pub use child::child;
pub use error::{Cause, TemplateError};
pub use renderer::Renderer;

use std::sync::LazyLock;

use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::secret::Secret;
use crate::spec::Delimiters;

/// The one of this process: it has one child at a time.
static RENDERER: LazyLock<Renderer> = LazyLock::new(Renderer::default);

/// One file to write.
pub struct Job<'a> {
    /// The template, as the class has it.
    pub text: &'a str,
    /// What surrounds its expressions.
    pub delimiters: &'a Delimiters,
    /// The values by the names that the template gives them; secret.
    pub sources: Map<String, Value>,
}

/// Renders all templates of one mount in one child of this program; the results stand in the order of `jobs`.
///
/// A template that exhausts the child ends it, and is named by [`TemplateError::job`]; those behind it are not tried.
/// Dropping the future kills the child.
pub async fn render(
    jobs: &[Job<'_>],
    deadline: Instant,
) -> Result<Vec<Result<Secret, TemplateError>>, TemplateError> {
    RENDERER.render(jobs, deadline).await
}

/// Checks the syntax of `templates` without values, in a child too: the parser folds constants and follows chains of
/// operators without a bound, so that 64 KiB of text can take a thread's whole stack.
pub async fn check(
    templates: &[(&str, &Delimiters)],
    deadline: Instant,
) -> Result<Vec<Result<(), TemplateError>>, TemplateError> {
    RENDERER.check(templates, deadline).await
}
