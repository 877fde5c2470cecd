//! Objects -> the fewest calls to Vault; pure.

use std::collections::{BTreeMap, HashSet};

use crate::spec::{EngineRequest, Object, S5Text, Source, Text, TransitCiphertext, TransitKey};

/// What one mount asks of Vault: every source once, however many files look at it, in as few round trips as their dependence allows.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Each stage needs answers of earlier ones only.
    pub stages: Vec<Stage<'a>>,
}

/// Calls that may be made at the same time.
#[derive(Debug, Default)]
pub struct Stage<'a> {
    /// Sources with a call of their own, in the order of their first object.
    pub reads: Vec<&'a Source>,
    /// Ciphertexts that share one.
    pub batches: Vec<Batch<'a>>,
}

/// All ciphertexts of one key that are opened by one call.
#[derive(Debug)]
pub struct Batch<'a> {
    /// The namespace, when it is another than the class's.
    pub namespace: Option<&'a str>,
    /// The key.
    pub key: &'a TransitKey,
    /// The sources whose ciphertexts they are.
    pub members: Vec<&'a Source>,
}

impl<'a> Plan<'a> {
    /// Plans `objects`; equal sources share a call, and so do all ciphertexts of one key.
    pub fn new(objects: &'a [Object]) -> Self {
        let (mut seen, mut sources) = (HashSet::new(), Vec::new());
        for source in objects.iter().flat_map(Object::sources) {
            gather(source, &mut seen, &mut sources);
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
            // What stands in the class itself waits for nothing, unless a neighbour under the same key does.
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

    /// How many calls it makes.
    pub fn calls(&self) -> usize {
        self.stages.iter().map(|stage| stage.reads.len() + stage.batches.len()).sum()
    }
}

/// `source` and what it is made from, each once.
fn gather<'a>(source: &'a Source, seen: &mut HashSet<&'a Source>, sources: &mut Vec<&'a Source>) {
    if !seen.insert(source) {
        return;
    }
    if let Some(origin) = origin(source) {
        gather(origin, seen, sources);
    }
    sources.push(source);
}

/// The key that opens `source`, where it is ciphertext.
fn key(source: &Source) -> Option<&TransitKey> {
    match &source.request {
        EngineRequest::Transit(TransitCiphertext { key, .. }) | EngineRequest::S5(S5Text { key, .. }) => {
            Some(key)
        }
        _ => None,
    }
}

/// Whether its key is derived: transit takes a batch with a context in every item or in none.
fn has_context(source: &Source) -> bool {
    matches!(&source.request, EngineRequest::Transit(TransitCiphertext { context: Some(_), .. }))
}

/// The source that holds the ciphertext of `source`.
fn origin(source: &Source) -> Option<&Source> {
    match &source.request {
        EngineRequest::Transit(TransitCiphertext { ciphertext: Text::Of(selection), .. })
        | EngineRequest::S5(S5Text { text: Text::Of(selection), .. }) => Some(&selection.source),
        _ => None,
    }
}

/// How many ciphertexts must be opened before this one can be.
fn level(source: &Source) -> usize {
    match origin(source) {
        Some(origin) if key(origin).is_some() => level(origin) + 1,
        _ => 0,
    }
}
