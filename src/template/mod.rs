//! Templates: files made from several sources. A child process renders them, so that a template that loops or grows takes neither the time
//! nor the memory of the provider.

mod check; // unknown words of a template, before it is rendered
mod child; // the child: reads tasks, writes results
mod engine; // renders one template
mod error; // TemplateError, and the causes that the child reports
mod filters; // the filters that templates can use
mod go_words; // words of Go templates, and what to write instead
mod lexer; // the words of a template, with their places
mod limits; // resource limits that the child sets for itself
mod md5; // the MD5 digest
mod mistake; // a fault in words
mod pem; // the blocks of a PEM text
mod protocol; // the messages between parent and child
mod renderer; // the parent: starts the child, sends tasks, reads results
mod values; // JSON values as minijinja's, and back

pub(crate) use child::child;
pub(crate) use error::{Cause, TemplateError};
pub(crate) use renderer::Renderer;

use std::sync::LazyLock;

use tokio::time::Instant;

use crate::secret::{Secret, WipedMap};
use crate::spec::Delimiters;

/// The renderer of this process. It has one child at a time.
static RENDERER: LazyLock<Renderer> = LazyLock::new(Renderer::default);

/// One template to render.
pub(crate) struct Job<'a> {
    /// The template, as it is written in the class.
    pub(crate) text: &'a str,
    /// The delimiters of its expressions.
    pub(crate) delimiters: &'a Delimiters,
    /// The values of the sources, by the names that the template uses. Secret.
    pub(crate) sources: WipedMap,
}

/// Renders all templates of one mount in one child of this program. The results have the order of `jobs`.
///
/// A template that exceeds the child's limits ends the child; [`TemplateError::job`] names it, and the templates after it are not rendered.
/// Dropping the future kills the child.
pub(crate) async fn render(
    jobs: &[Job<'_>],
    deadline: Instant,
) -> Result<Vec<Result<Secret, TemplateError>>, TemplateError> {
    RENDERER.render(jobs, deadline).await
}

/// A template to check.
pub(crate) struct Check<'a> {
    /// The template, as it is written in the class.
    pub(crate) text: &'a str,
    /// The delimiters of its expressions.
    pub(crate) delimiters: &'a Delimiters,
    /// The names of its sources.
    pub(crate) names: Vec<String>,
}

/// Checks the syntax and the words of `templates`, without values. In a child too: the parser folds constants and follows chains of operators without a
/// limit, so that 64 KiB of text can use up the stack of a thread.
pub(crate) async fn check(
    templates: &[Check<'_>],
    deadline: Instant,
) -> Result<Vec<Result<(), TemplateError>>, TemplateError> {
    RENDERER.check(templates, deadline).await
}
