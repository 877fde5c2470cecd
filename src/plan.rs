//! Objects -> the fewest requests to Vault; pure.

use std::collections::{BTreeMap, HashSet};

use crate::spec::{EngineRequest, Object, S5Text, Source, Text, TransitCiphertext, TransitKey};

/// The requests of one mount: every source once, even if several files show it, in as few round trips as their dependencies allow.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    /// The requests of a stage need responses of earlier stages only.
    pub(crate) stages: Vec<Stage<'a>>,
}

/// Requests that may be sent at the same time.
#[derive(Debug, Default)]
pub(crate) struct Stage<'a> {
    /// Sources with a request each, in the order of their first object.
    pub(crate) reads: Vec<&'a Source>,
    /// Ciphertexts that share a request.
    pub(crate) batches: Vec<Batch<'a>>,
}

/// Ciphertexts of one key that one request decrypts.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    /// The namespace, if it differs from the class's.
    pub(crate) namespace: Option<&'a str>,
    /// The key.
    pub(crate) key: &'a TransitKey,
    /// The sources of the ciphertexts.
    pub(crate) members: Vec<&'a Source>,
}

impl<'a> Plan<'a> {
    /// Plans the requests for `objects`. Equal sources share a request, and so do the ciphertexts of one key.
    pub(crate) fn new(objects: &'a [Object]) -> Self {
        let (mut seen, mut sources) = (HashSet::new(), Vec::new());
        for source in objects.iter().flat_map(Object::sources) {
            collect(source, &mut seen, &mut sources);
        }
        let mut stages = vec![Stage::default()];
        let mut groups: BTreeMap<_, Vec<&Source>> = BTreeMap::new();
        for source in sources {
            match key(source) {
                Some(key) => {
                    let group = (level(source), source.namespace.as_deref(), key, has_context(source));
                    groups.entry(group).or_default().push(source);
                }
                None => stages[0].reads.push(source),
            }
        }
        for ((level, namespace, key, _), members) in groups {
            // A ciphertext of the class itself needs no earlier response, unless another one of the same batch does.
            let stage = if level == 0 && members.iter().all(|member| origin(member).is_none()) {
                0
            } else {
                level + 1
            };
            stages.resize_with(stages.len().max(stage + 1), Stage::default);
            stages[stage].batches.push(Batch { namespace, key, members });
        }
        Self { stages }
    }
}

/// Adds `source` and the sources that it depends on, each once.
fn collect<'a>(source: &'a Source, seen: &mut HashSet<&'a Source>, sources: &mut Vec<&'a Source>) {
    if !seen.insert(source) {
        return;
    }
    if let Some(origin) = origin(source) {
        collect(origin, seen, sources);
    }
    sources.push(source);
}

/// The key that decrypts `source`; `None` if `source` is not ciphertext.
fn key(source: &Source) -> Option<&TransitKey> {
    match &source.request {
        EngineRequest::Transit(TransitCiphertext { key, .. }) | EngineRequest::S5(S5Text { key, .. }) => {
            Some(key)
        }
        EngineRequest::Request(_)
        | EngineRequest::Kv(_)
        | EngineRequest::Certificate(_)
        | EngineRequest::Authorities { .. } => None,
    }
}

/// True if the key is derived: a transit batch has a context in every item or in none.
fn has_context(source: &Source) -> bool {
    matches!(&source.request, EngineRequest::Transit(TransitCiphertext { context: Some(_), .. }))
}

/// The source that contains the ciphertext of `source`.
fn origin(source: &Source) -> Option<&Source> {
    match &source.request {
        EngineRequest::Transit(TransitCiphertext { ciphertext: Text::Of(value), .. })
        | EngineRequest::S5(S5Text { text: Text::Of(value), .. }) => Some(&value.source),
        EngineRequest::Transit(TransitCiphertext { ciphertext: Text::Literal(_), .. })
        | EngineRequest::S5(S5Text { text: Text::Literal(_), .. })
        | EngineRequest::Request(_)
        | EngineRequest::Kv(_)
        | EngineRequest::Certificate(_)
        | EngineRequest::Authorities { .. } => None,
    }
}

/// How many ciphertexts must be decrypted before this one.
fn level(source: &Source) -> usize {
    match origin(source) {
        Some(origin) if key(origin).is_some() => level(origin) + 1,
        _ => 0,
    }
}
