//! The templates of a mount, written together.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::config::{Digest, MountPath, Object, Place, Selection, Template, View};
use crate::engine::{Answers, Miss, weight};
use crate::error::Reason;
use crate::secret::Secret;
use crate::template::{self, Job, TemplateError};
use crate::vault::Budget;
use crate::volumes::Texts;

/// What came of every template, by its file.
#[derive(Default)]
pub(super) struct Written(HashMap<MountPath, Result<Arc<Secret>, Miss>>);

impl Written {
    /// The text of the file `name`.
    pub(super) fn take(&mut self, name: &MountPath) -> Result<Secret, Miss> {
        let bug = || Err(Miss { reason: Reason::Bug, what: "the template was not written".into() });
        // A copy: the text may be kept for the next time.
        self.0.remove(name).unwrap_or_else(bug).map(|text| Secret::from(text.expose().to_vec()))
    }
}

/// Memory that the sources of all templates of a mount may take: what they write is bounded as well.
const SOURCES_BYTES: usize = 4 * 1024 * 1024;

/// A template that must be written anew.
struct Task<'a> {
    name: &'a MountPath,
    inputs: Digest,
    job: Job<'a>,
}

/// Writes every template of `objects` whose sources are all there, in one child; those whose inputs are those of the last time keep their text.
pub(super) async fn write(objects: &[Object], answers: &Answers<'_>, texts: &Texts, budget: &Budget) -> Written {
    let mut written = Written::default();
    let (mut tasks, mut room) = (Vec::new(), SOURCES_BYTES);
    for (name, template) in objects.iter().filter_map(template_of) {
        match task(name, template, answers, &mut room) {
            Err(miss) => drop(written.0.insert(name.clone(), Err(miss))),
            Ok(task) => match texts.get(name, &task.inputs) {
                Some(outcome) => drop(written.0.insert(name.clone(), outcome)),
                None => tasks.push(task),
            },
        }
    }
    let (names, jobs): (Vec<_>, Vec<_>) = tasks.into_iter().map(|task| ((task.name, task.inputs), task.job)).unzip();
    let outcomes = outcomes(template::render(&jobs, budget.end()).await, names.len());
    for ((name, inputs), (outcome, is_its_own)) in names.into_iter().zip(outcomes) {
        if is_its_own {
            texts.keep(name, inputs, &outcome);
        }
        written.0.insert(name.clone(), outcome);
    }
    written
}

fn task<'a>(name: &'a MountPath, template: &'a Template, answers: &Answers<'_>, room: &mut usize) -> Result<Task<'a>, Miss> {
    let sources = sources(template, answers, room)?;
    let Template { text, delimiters, .. } = template;
    let mut digest = Sha256::new();
    let unwritable = |_| Miss { reason: Reason::Bug, what: "the values of the template are no JSON".into() };
    let values = Zeroizing::new(serde_json::to_string(&sources).map_err(unwritable)?);
    for part in [text.expose(), &delimiters.open, &delimiters.close, &values] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    Ok(Task { name, inputs: digest.finalize().into(), job: Job { text: text.expose(), delimiters, sources } })
}

fn template_of(object: &Object) -> Option<(&MountPath, &Template)> {
    match &object.place {
        Place::File(name, View::Template(template)) => Some((name, template)),
        _ => None,
    }
}

/// The values that a template may name; the first that is missing stands for all.
fn sources(template: &Template, answers: &Answers<'_>, room: &mut usize) -> Result<Map<String, Value>, Miss> {
    let source = |(name, selection): (&String, &Selection)| {
        let value = answers.value(selection)?;
        let large = || Miss { reason: Reason::PayloadTooLarge, what: "the sources of the templates are larger than 4 MiB together".into() };
        *room = room.checked_sub(weight(&value)).ok_or_else(large)?;
        Ok((name.clone(), value))
    };
    template.sources.iter().map(source).collect()
}

/// What came of each of `count` templates, and whether it follows from the template alone: neither from another's guilt nor from the state
/// of the node or the mount.
fn outcomes(results: Result<Vec<Result<Secret, TemplateError>>, TemplateError>, count: usize) -> Vec<(Result<Arc<Secret>, Miss>, bool)> {
    let refused = |error: &TemplateError| Miss { reason: error.reason(), what: error.to_string() };
    let other = |reason| Miss { reason, what: "not written, because another template of this class ended their process".into() };
    match results {
        // Too long it may be because of those before it: they share the room.
        Ok(texts) => texts
            .into_iter()
            .map(|text| {
                let is_its_own = !matches!(text, Err(TemplateError::TooLong));
                (text.map(Arc::new).map_err(|error| refused(&error)), is_its_own)
            })
            .collect(),
        Err(error) => {
            let miss = |job| if error.job().is_some_and(|guilty| guilty != job) { other(error.reason()) } else { refused(&error) };
            let own = |job| error.job() == Some(job) && error.reason() == Reason::RenderFailed;
            (0..count).map(|job| (Err(miss(job)), own(job))).collect()
        }
    }
}
