//! One log line per event, to stderr.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// The format of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// One JSON object per line, for programs.
    #[default]
    Json,
    /// Plain text, for people.
    Text,
}

/// Starts logging at `level`; call it once.
///
/// Whatever the level, other crates log only warnings and errors: at lower levels some print requests, including tokens. The Kubernetes
/// client logs only errors: its warning about a response that it cannot parse contains the response.
pub(crate) fn start(format: Format, level: LevelFilter) {
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
