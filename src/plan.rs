//! Objects -> the fewest calls to Vault; pure.

use std::collections::HashMap;

use crate::config::{Object, Request};

/// The calls of one mount, each made once however many objects look at its answer.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Calls that differ in method, path, query or body, in the order of their first object.
    pub calls: Vec<&'a Request>,
    /// Every object with the place of its call in `calls`, in the class's order.
    pub uses: Vec<(&'a Object, usize)>,
}

impl<'a> Plan<'a> {
    /// Plans `objects`; two with equal requests share a call, two that differ only in their body do not.
    pub fn new(objects: &'a [Object]) -> Self {
        let mut places = HashMap::new();
        let mut calls = Vec::new();
        let mut uses = Vec::with_capacity(objects.len());
        for object in objects {
            let place = *places.entry(&object.request).or_insert_with(|| {
                calls.push(&object.request);
                calls.len() - 1
            });
            uses.push((object, place));
        }
        Self { calls, uses }
    }
}
