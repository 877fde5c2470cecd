//! The templates of a mount: their syntax before anything is asked, and then their texts, all together.

use crate::bounded_map::BoundedSet;
use crate::mutex::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::cache::RenderedCache;
use crate::digest;
use crate::engine::{FetchError, Responses, weight};
use crate::error::Reason;
use crate::limits::Budget;
use crate::mount::render::ObjectError;
use crate::secret::Secret;
use crate::spec::{Digest, MountPath, Object, Placement, SourceValue, Template, View};
use crate::template;
use crate::template::{Job, TemplateError};

/// What came of every template, by its file.
#[derive(Default)]
pub(crate) struct RenderedTemplates(HashMap<MountPath, Result<Arc<Secret>, FetchError>>);

impl RenderedTemplates {
    /// The text of the file `name`.
    pub(crate) fn take(&mut self, name: &MountPath) -> Result<Secret, FetchError> {
        let bug = || Err(FetchError { reason: Reason::Bug, what: "the template was not written".into() });
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

/// Templates that are remembered to be of good syntax; past that they are checked anew.
const CHECKED: usize = 4096;

/// Templates of good syntax, by their text and what surrounds its expressions.
#[derive(Default)]
pub(crate) struct CheckedTemplates(Mutex<BoundedSet<Digest, CHECKED>>);

impl CheckedTemplates {
    fn has(&self, template: &Digest) -> bool {
        self.0.lock().contains(template)
    }

    fn add(&self, template: Digest) {
        self.0.lock().insert(template, ());
    }
}

/// Checks the templates of `objects` that nobody has seen before: what a class alone can tell is told before anything is asked, or made for it.
/// Where the node has no process for that, writing them will tell.
pub(crate) async fn check(
    objects: &[Object],
    checked: &CheckedTemplates,
    budget: &Budget,
) -> Result<(), Vec<ObjectError>> {
    let new =
        objects.iter().filter_map(template_of).map(|(name, template)| (name, template, digest(template, "")));
    let new: Vec<_> = new.filter(|(_, _, digest)| !checked.has(digest)).collect();
    let texts: Vec<_> =
        new.iter().map(|(_, template, _)| (template.text.expose(), &template.delimiters)).collect();
    let outcomes = outcomes(template::check(&texts, budget.end()).await, new.len());
    let mut unfilled = Vec::new();
    for ((name, _, digest), (outcome, is_its_own)) in new.into_iter().zip(outcomes) {
        match outcome {
            Ok(()) => checked.add(digest),
            Err(miss) if is_its_own => unfilled.push(ObjectError { name: name.to_string(), miss }),
            Err(_) => {}
        }
    }
    if unfilled.is_empty() { Ok(()) } else { Err(unfilled) }
}

/// Writes every template of `objects` whose sources are all there, in one child; those whose inputs are those of the last time keep their text.
pub(crate) async fn write(
    objects: &[Object],
    answers: &Responses<'_>,
    texts: &RenderedCache,
    budget: &Budget,
) -> RenderedTemplates {
    let mut written = RenderedTemplates::default();
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
    let (names, jobs): (Vec<_>, Vec<_>) =
        tasks.into_iter().map(|task| ((task.name, task.inputs), task.job)).unzip();
    let outcomes = outcomes(template::render(&jobs, budget.end()).await, names.len());
    for ((name, inputs), (outcome, is_its_own)) in names.into_iter().zip(outcomes) {
        let outcome = outcome.map(Arc::new);
        if is_its_own {
            texts.insert(name, inputs, &outcome);
        }
        written.0.insert(name.clone(), outcome);
    }
    written
}

fn task<'a>(
    name: &'a MountPath,
    template: &'a Template,
    answers: &Responses<'_>,
    room: &mut usize,
) -> Result<Task<'a>, FetchError> {
    let sources = sources(template, answers, room)?;
    let unwritable =
        |_| FetchError { reason: Reason::Bug, what: "the values of the template are no JSON".into() };
    let values = Zeroizing::new(serde_json::to_string(&sources).map_err(unwritable)?);
    let job = Job { text: template.text.expose(), delimiters: &template.delimiters, sources };
    Ok(Task { name, inputs: digest(template, &values), job })
}

/// Of all that `values` and the template make: each part with its length in front.
fn digest(Template { text, delimiters, .. }: &Template, values: &str) -> Digest {
    digest::of([text.expose(), &delimiters.open, &delimiters.close, values])
}

fn template_of(object: &Object) -> Option<(&MountPath, &Template)> {
    match &object.place {
        Placement::File(name, View::Template(template)) => Some((name, template)),
        _ => None,
    }
}

/// The values that a template may name; the first that is missing stands for all.
fn sources(
    template: &Template,
    answers: &Responses<'_>,
    room: &mut usize,
) -> Result<Map<String, Value>, FetchError> {
    let source = |(name, selection): (&String, &SourceValue)| {
        let value = answers.value(selection)?;
        let large = || FetchError {
            reason: Reason::PayloadTooLarge,
            what: "the sources of the templates are larger than 4 MiB together".into(),
        };
        *room = room.checked_sub(weight(&value)).ok_or_else(large)?;
        Ok((name.clone(), value))
    };
    template.sources.iter().map(source).collect()
}

/// What came of each of `count` templates, and whether it follows from the template alone: neither from another's guilt nor from the state
/// of the node or the mount.
fn outcomes<T>(
    results: Result<Vec<Result<T, TemplateError>>, TemplateError>,
    count: usize,
) -> Vec<(Result<T, FetchError>, bool)> {
    let refused = |error: &TemplateError| FetchError { reason: error.reason(), what: error.to_string() };
    let other = |reason| FetchError {
        reason,
        what: "not written, because another template of this class ended their process".into(),
    };
    match results {
        // Too long it may be because of those before it: they share the room.
        Ok(texts) => texts
            .into_iter()
            .map(|text| {
                let is_its_own = !matches!(text, Err(TemplateError::TooLong));
                (text.map_err(|error| refused(&error)), is_its_own)
            })
            .collect(),
        Err(error) => {
            let miss = |job| {
                if error.job().is_some_and(|guilty| guilty != job) {
                    other(error.reason())
                } else {
                    refused(&error)
                }
            };
            let own = |job| error.job() == Some(job) && error.reason() == Reason::RenderFailed;
            (0..count).map(|job| (Err(miss(job)), own(job))).collect()
        }
    }
}
