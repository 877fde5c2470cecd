//! Fields of a value -> SourceValue: a source, and the part of its response.

use super::ParseContext;
use crate::class::diagnostics::FieldError;
use crate::class::schema::field::FieldContext;
use crate::class::schema::names::literal_name;
use crate::class::schema::source::UpstreamRequest;
use crate::class::schema::table::{AbsentFields, SelectorFields, SourceValueFields, UpstreamFields};
use crate::spec::{
    Absent, Body, Encoding, EngineRequest, ParsedPath, Request, Selector, SelectorPath, Source, SourceValue,
};

impl SourceValueFields {
    /// The value; `None` after a problem. Every source except ciphertext needs a selector, unless `whole` is true: then the whole response is
    /// allowed.
    pub(crate) fn source_value(
        self,
        context: ParseContext<'_>,
        whole: bool,
        at: &mut FieldContext<'_>,
    ) -> Option<SourceValue> {
        if !whole && (self.absent.optional.is_some() || self.absent.default.is_some()) {
            return at.error(FieldError::Type(
                "without optional and default: only `sources` of a template may have them",
            ));
        }
        let upstream = self.upstream.request(at);
        let source = self.source.source(upstream, None, context, at);
        let (encoding, has_selector) = (self.selector.encoding.unwrap_or_default(), self.selector.is_some());
        let selector = self.selector.selector(at);
        let source = source?;
        match (is_decrypted(&source), has_selector) {
            (false, false) if encoding != Encoding::Utf8 => {
                at.field(SelectorFields::ENCODING).error(FieldError::Needs("secretKey or pointer"))
            }
            (true, true) => at.error(FieldError::Decrypted),
            (false, false) if !whole => at.error(FieldError::NoSelector),
            _ => Some(SourceValue { source, selector: selector?, encoding }),
        }
    }
}

/// True if the value is a decrypted text. A text has no members that a selector could select.
fn is_decrypted(source: &Source) -> bool {
    match source.request {
        EngineRequest::Transit(_) | EngineRequest::S5(_) => true,
        EngineRequest::Request(_)
        | EngineRequest::Kv(_)
        | EngineRequest::Certificate(_)
        | EngineRequest::Authorities { .. } => false,
    }
}

impl AbsentFields {
    /// What replaces the value if it is missing; `None` after a problem.
    pub(crate) fn absent(&self, at: &mut FieldContext<'_>) -> Option<Absent> {
        match (self.optional, &self.default) {
            (Some(true), Some(_)) => at.error(FieldError::Both(Self::OPTIONAL, Self::DEFAULT)),
            (Some(true), None) => Some(Absent::NoFile),
            (_, Some(text)) => Some(Absent::Default(text.clone().into())),
            (_, None) => Some(Absent::Fails),
        }
    }
}

/// Warns if a text in the form of the upstream providers contains a name that only other forms replace.
pub(crate) fn warn_of_literals<'t>(texts: impl IntoIterator<Item = &'t str>, at: &mut FieldContext<'_>) {
    if let Some(name) = literal_name(texts) {
        at.found.warnings.push(format!(
            "{}: {name} is used as written in an object with secretPath: use kv or request, which replace it",
            at.object
        ));
    }
}

impl UpstreamFields {
    /// The request of the fields.
    fn request(self, at: &mut FieldContext<'_>) -> UpstreamRequest {
        if self.path.is_none() && self.method.is_none() && self.args.is_none() {
            return None;
        }
        let path = self.path.unwrap_or_default();
        warn_of_literals([path.as_str(), self.args.as_ref().map_or("", Body::expose)], at);
        let request = Request::with_body(&self.method.unwrap_or_default(), &path, self.args);
        Some(at.take(request.map_err(FieldError::Request)))
    }
}

impl SelectorFields {
    /// True if a field other than `encoding` is present.
    pub(crate) fn is_some(&self) -> bool {
        self.secret_key.is_some() || self.pointer.is_some() || self.parse.is_some() || self.from.is_some()
    }

    /// The selector; `None` after a problem.
    pub(crate) fn selector(self, at: &mut FieldContext<'_>) -> Option<Selector> {
        if self.pointer.as_ref().is_some_and(|pointer| !is_pointer(pointer)) {
            return at
                .field(Self::POINTER)
                .error(FieldError::Type("a JSON pointer: /primary/host, with ~1 for / and ~0 for ~"));
        }
        let path = match (self.secret_key.filter(|key| !key.is_empty()), self.pointer, self.parse) {
            (Some(_), Some(_), None) => return at.error(FieldError::BothWithoutParse),
            (Some(key), None, None) => SelectorPath::Key(key),
            (None, Some(pointer), None) => SelectorPath::Pointer(pointer),
            (None, None, None) => SelectorPath::Whole,
            (None, None, Some(_)) => {
                return at.field(Self::PARSE).error(FieldError::Needs("secretKey or pointer"));
            }
            (key, pointer, Some(syntax)) => {
                SelectorPath::Parsed(ParsedPath { key, pointer: pointer.unwrap_or_default(), syntax })
            }
        };
        Some(Selector { root: self.from.unwrap_or_default(), path })
    }
}

/// True if `text` is empty or begins with `/`, and 0 or 1 follows every `~` (RFC 6901, 3).
fn is_pointer(text: &str) -> bool {
    let escaped = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    (text.is_empty() || text.starts_with('/')) && escaped
}
