//! The templates of a mount, written together.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::config::{MountPath, Object, Place, Template, View};
use crate::engine::{Answers, Miss};
use crate::error::Reason;
use crate::secret::Secret;
use crate::template::{self, Job, TemplateError};
use crate::vault::Budget;

/// What came of every template, by its file.
#[derive(Default)]
pub(super) struct Written(HashMap<MountPath, Result<Secret, Miss>>);

impl Written {
    /// The text of the file `name`.
    pub(super) fn take(&mut self, name: &MountPath) -> Result<Secret, Miss> {
        self.0.remove(name).unwrap_or_else(|| Err(Miss { reason: Reason::Bug, what: "the template was not written".into() }))
    }
}

/// Writes every template of `objects` whose sources are all there, in one child.
pub(super) async fn write(objects: &[Object], answers: &Answers<'_>, budget: Budget) -> Written {
    let mut written = Written::default();
    let (mut names, mut jobs) = (Vec::new(), Vec::new());
    for (name, template) in objects.iter().filter_map(template_of) {
        match sources(template, answers) {
            Ok(sources) => {
                names.push(name);
                jobs.push(Job { text: template.text.expose(), delimiters: &template.delimiters, sources });
            }
            Err(miss) => drop(written.0.insert(name.clone(), Err(miss))),
        }
    }
    let results = template::render(&jobs, budget.end()).await;
    names.iter().enumerate().for_each(|(job, name)| drop(written.0.insert((*name).clone(), result(&results, job))));
    written
}

fn template_of(object: &Object) -> Option<(&MountPath, &Template)> {
    match &object.place {
        Place::File(name, View::Template(template)) => Some((name, template)),
        _ => None,
    }
}

/// The values that a template may name; the first that is missing stands for all.
fn sources(template: &Template, answers: &Answers<'_>) -> Result<Map<String, Value>, Miss> {
    template.sources.iter().map(|(name, selection)| Ok((name.clone(), answers.value(selection)?))).collect()
}

fn result(results: &Results, job: usize) -> Result<Secret, Miss> {
    let refused = |error: &TemplateError| Err(Miss { reason: error.reason(), what: error.to_string() });
    match results {
        // A copy: the results are looked at by number.
        Ok(results) => match results.get(job) {
            Some(Ok(text)) => Ok(Secret::from(text.expose().to_vec())),
            Some(Err(error)) => refused(error),
            None => Err(Miss { reason: Reason::Bug, what: "the template has no result".into() }),
        },
        Err(error) => match error.job() {
            Some(guilty) if guilty != job => {
                Err(Miss { reason: error.reason(), what: "not written, because another template of this class ended their process".into() })
            }
            _ => refused(error),
        },
    }
}

type Results = Result<Vec<Result<Secret, TemplateError>>, TemplateError>;
