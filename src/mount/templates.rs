//! The templates of a mount: their syntax before any call, and later their texts, all in one child process.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::Mount;
use super::failure::{self, ObjectError};
use crate::bounded_map::BoundedSet;
use crate::cache::RenderedCache;
use crate::digest;
use crate::engine::{FetchError, Responses, weight};
use crate::error::{Failure, Reason};
use crate::limits::Budget;
use crate::mutex::Mutex;
use crate::secret::{Secret, WipedJson, WipedMap};
use crate::spec::{Absent, Digest, MountPath, Object, Placement, Pod, SelectorPath, Template, View};
use crate::template::{self, Job, TemplateError};

/// Memory that the sources of all templates of a mount may occupy. The size of their texts is limited as well.
const SOURCES_BYTES: usize = 4 * 1024 * 1024;

/// Templates whose check is remembered. When the set is full it starts again from nothing.
const CHECKED: usize = 4096;

/// The text of every template of a mount, or why it has none, by the path of its file.
#[derive(Default)]
pub(super) struct RenderedTemplates(HashMap<MountPath, Result<Arc<Secret>, FetchError>>);

impl RenderedTemplates {
    /// The text of the file `path`.
    pub(super) fn take(&mut self, path: &MountPath) -> Result<Secret, FetchError> {
        let missing = || Err(FetchError::new(Reason::Bug, "the template was not rendered"));
        // A copy, because the cache may hold the text too.
        self.0.remove(path).unwrap_or_else(missing).map(|text| Secret::from(text.expose().to_vec()))
    }
}

/// A template that has to be rendered, because the cache has no text for its inputs.
struct Task<'a> {
    path: &'a MountPath,
    inputs: Digest,
    job: Job<'a>,
}

/// Templates whose syntax is correct, by the digest of their text and delimiters.
#[derive(Default)]
pub(super) struct CheckedTemplates(Mutex<BoundedSet<Digest, CHECKED>>);

impl CheckedTemplates {
    fn has(&self, template: &Digest) -> bool {
        self.0.lock().contains(template)
    }

    fn add(&self, template: Digest) {
        self.0.lock().insert(template, ());
    }
}

/// Checks the syntax of the templates that have not been checked before, so that a mistake in the class is reported before anything is
/// issued. If the child process cannot run, `render` will report that.
pub(super) async fn check(checked: &CheckedTemplates, mount: &Mount, budget: &Budget) -> Result<(), Failure> {
    let templates = mount.spec.objects.iter().filter_map(template_of);
    let new =
        templates.map(|(path, template)| (path, template, digest(template, &names(template).join(" "))));
    let new: Vec<_> = new.filter(|(_, _, digest)| !checked.has(digest)).collect();
    let texts: Vec<_> = new
        .iter()
        .map(|(_, template, _)| template::Check {
            text: template.text.expose(),
            delimiters: &template.delimiters,
            names: names(template),
        })
        .collect();
    let results = each_result(template::check(&texts, budget.end()).await, new.len());
    let mut errors = Vec::new();
    for ((path, _, digest), (result, is_own)) in new.into_iter().zip(results) {
        match result {
            Ok(()) => checked.add(digest),
            Err(error) if is_own => errors.push(ObjectError { name: path.to_string(), error }),
            Err(_) => {}
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(failure::objects(&mount.spec, &errors)) }
}

/// Renders every template of `objects` whose sources were fetched, in one child process. A template whose inputs have not changed keeps
/// its text from `cache`.
pub(super) async fn render(
    pod: &Pod,
    objects: &[Object],
    responses: &Responses<'_>,
    cache: &RenderedCache,
    budget: &Budget,
) -> RenderedTemplates {
    let mut rendered = RenderedTemplates::default();
    let (mut tasks, mut memory) = (Vec::new(), SOURCES_BYTES);
    for (path, template) in objects.iter().filter_map(template_of) {
        let known = task(path, template, pod, responses, &mut memory)
            .map(|task| (cache.get(path, &task.inputs), task));
        match known {
            Err(error) => drop(rendered.0.insert(path.clone(), Err(error))),
            Ok((Some(result), _)) => drop(rendered.0.insert(path.clone(), result)),
            Ok((None, task)) => tasks.push(task),
        }
    }
    let (targets, jobs): (Vec<_>, Vec<_>) =
        tasks.into_iter().map(|task| ((task.path, task.inputs), task.job)).unzip();
    let results = each_result(template::render(&jobs, budget.end()).await, targets.len());
    for ((path, inputs), (result, is_own)) in targets.into_iter().zip(results) {
        let result = result.map(Arc::new);
        if is_own {
            cache.insert(path, inputs, &result);
        }
        rendered.0.insert(path.clone(), result);
    }
    rendered
}

fn task<'a>(
    path: &'a MountPath,
    template: &'a Template,
    pod: &Pod,
    responses: &Responses<'_>,
    memory: &mut usize,
) -> Result<Task<'a>, FetchError> {
    let sources = sources(template, pod, responses, memory)?;
    let not_json = |_| FetchError::new(Reason::Bug, "the values of the template cannot be JSON");
    let values = Zeroizing::new(serde_json::to_string(&sources).map_err(not_json)?);
    let job = Job { text: template.text.expose(), delimiters: &template.delimiters, sources };
    Ok(Task { path, inputs: digest(template, &values), job })
}

/// The digest of everything that decides the text of a template, each part with its length in front.
fn digest(Template { text, delimiters, .. }: &Template, values: &str) -> Digest {
    digest::of([text.expose(), &delimiters.open, &delimiters.close, values])
}

fn template_of(object: &Object) -> Option<(&MountPath, &Template)> {
    match &object.place {
        Placement::File(path, View::Template(template)) => Some((path, template)),
        _ => None,
    }
}

/// The name of the pod's own facts in templates, unless the class has a source of this name.
const POD: &str = "pod";

/// The names that a template may use.
fn names(template: &Template) -> Vec<String> {
    template.sources.keys().cloned().chain([POD.to_owned()]).collect()
}

/// The facts of a pod that are the same as long as it lives.
fn facts(pod: &Pod) -> WipedJson {
    let Pod { namespace, name, uid, service_account } = pod;
    json!({"name": name, "namespace": namespace, "uid": uid, "serviceAccount": service_account}).into()
}

/// The values that a template may name, or the error of the first one that is missing.
fn sources(
    template: &Template,
    pod: &Pod,
    responses: &Responses<'_>,
    memory: &mut usize,
) -> Result<WipedMap, FetchError> {
    let too_large = || {
        FetchError::new(
            Reason::PayloadTooLarge,
            "the sources of the templates are larger than 4 MiB together",
        )
    };
    let mut sources = WipedMap::default();
    if template.text.expose().contains(POD) {
        sources.insert(POD.to_owned(), facts(pod));
    }
    for (name, selected) in &template.sources {
        let value = match (responses.template_value(selected), template.absent.get(name)) {
            (Err(error), Some(absent)) if error.reason == Reason::NotFound => match absent {
                Absent::Fails => return Err(error),
                Absent::Default(text) => Value::from(text.expose()).into(),
                // So that a default may follow a key of it.
                Absent::NoFile if selected.selector.path == SelectorPath::Whole => json!({}).into(),
                Absent::NoFile => {
                    // The pod's facts do not take the place of a source.
                    sources.remove(name);
                    continue;
                }
            },
            (value, _) => value?,
        };
        *memory = memory.checked_sub(weight(&value)).ok_or_else(too_large)?;
        sources.insert(name.clone(), value);
    }
    Ok(sources)
}

/// The result of each of `count` templates, and whether it depends on that template alone. A result may also come from another template
/// that ended the child process, from the state of the node, or from the time that was left.
fn each_result<T>(
    results: Result<Vec<Result<T, TemplateError>>, TemplateError>,
    count: usize,
) -> Vec<(Result<T, FetchError>, bool)> {
    let own = |error: &TemplateError| FetchError::new(error.reason(), error.to_string());
    let of_another = |reason| {
        FetchError::new(
            reason,
            "not rendered, because another template of this class ended the child process",
        )
    };
    match results {
        // A text may be too long because of the ones before it: all texts share one limit.
        Ok(texts) => {
            let is_own = |text: &Result<T, TemplateError>| !matches!(text, Err(TemplateError::TooLong));
            texts
                .into_iter()
                .map(|text| (is_own(&text), text))
                .map(|(is, text)| (text.map_err(|error| own(&error)), is))
                .collect()
        }
        Err(error) => {
            let culprit = error.job();
            let result = |job| match culprit {
                Some(culprit) if culprit != job => of_another(error.reason()),
                _ => own(&error),
            };
            let is_own = |job| culprit == Some(job) && error.reason() == Reason::RenderFailed;
            (0..count).map(|job| (Err(result(job)), is_own(job))).collect()
        }
    }
}
