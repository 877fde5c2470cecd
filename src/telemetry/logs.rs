//! One line an event, to stderr.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line, for machines.
    #[default]
    Json,
    /// Plain words, for eyes.
    Text,
}

/// Starts logging at `level`; may be called once.
///
/// Whatever the level, other people's crates stay at warnings: at lower levels some print requests, tokens included. The client of
/// Kubernetes stays at errors: it warns of an answer that it cannot read by printing it.
pub fn start(format: Format, level: LevelFilter) {
    let ours = Targets::new().with_target("vaultmount", level);
    let shown = ours
        .with_target("kube_client", level.min(LevelFilter::ERROR))
        .with_default(level.min(LevelFilter::WARN));
    let lines = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let lines = match format {
        Format::Json => {
            lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed()
        }
        Format::Text => lines.with_ansi(false).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(shown)).init();
}
