//! Fields of a value -> Selection: a source, and the way into its answer.

use super::ParseContext;
use crate::class::diagnostics::FieldError;
use crate::class::schema::field::At;
use crate::class::schema::source::Flat;
use crate::class::schema::table::{FlatFields, SelectorFields, SourceValueFields};
use crate::spec::{Encoding, Request};
use crate::spec::{EngineRequest, Selector, SelectorPath, SourceValue};

impl SourceValueFields {
    /// The value; every source but ciphertext needs a way to it, unless `whole` may be taken.
    pub(crate) fn selection(
        self,
        scene: ParseContext<'_>,
        whole: bool,
        at: &mut At<'_>,
    ) -> Option<SourceValue> {
        let flat = self.flat.request(at);
        let source = self.source.source(flat, None, scene, at);
        let (encoding, has_pick) = (self.pick.encoding.unwrap_or_default(), self.pick.is_some());
        let pick = self.pick.pick(at);
        let source = source?;
        let opened = matches!(source.request, EngineRequest::Transit(_) | EngineRequest::S5(_));
        match (opened, has_pick) {
            (false, false) if encoding != Encoding::Utf8 => {
                at.below("encoding").wrong(FieldError::Needs("secretKey or pointer"))
            }
            (true, true) => at.wrong(FieldError::Opened),
            (false, false) if !whole => at.wrong(FieldError::NoPick),
            _ => Some(SourceValue { source, pick: pick?, encoding }),
        }
    }
}

impl FlatFields {
    /// The call that they describe.
    fn request(self, at: &mut At<'_>) -> Flat {
        if self.path.is_none() && self.method.is_none() && self.args.is_none() {
            return None;
        }
        let path = self.path.unwrap_or_default();
        let request = Request::with_body(&self.method.unwrap_or_default(), &path, self.args);
        Some(at.take(request.map_err(FieldError::Request)))
    }
}

impl SelectorFields {
    pub(crate) fn is_some(&self) -> bool {
        self.secret_key.is_some() || self.pointer.is_some() || self.from.is_some()
    }

    /// The way that they describe.
    pub(crate) fn pick(self, at: &mut At<'_>) -> Option<Selector> {
        let way = match (self.secret_key.filter(|key| !key.is_empty()), self.pointer) {
            (Some(_), Some(_)) => return at.wrong(FieldError::Both("secretKey", "pointer")),
            (Some(key), None) => SelectorPath::Key(key),
            (None, Some(pointer)) if is_pointer(&pointer) => SelectorPath::Pointer(pointer),
            (None, Some(_)) => {
                return at
                    .below("pointer")
                    .wrong(FieldError::Type("a JSON pointer: /primary/host, with ~1 for / and ~0 for ~"));
            }
            (None, None) => SelectorPath::Whole,
        };
        Some(Selector { start: self.from.unwrap_or_default(), way })
    }
}

/// By RFC 6901, 3: empty or begun by `/`, and every `~` before 0 or 1.
fn is_pointer(text: &str) -> bool {
    let escaped = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    (text.is_empty() || text.starts_with('/')) && escaped
}
