//! Fields of a file -> Object: its path, and the part of the source that it shows.

use super::ParseContext;
use crate::class::diagnostics::FieldError;
use crate::class::schema::field::FieldContext;
use crate::class::schema::keywords::{Keys as KeyFields, PartName};
use crate::class::schema::names::Names;
use crate::class::schema::table::{
    FileFields, ObjectFields, SelectorFields, SourceFields, SourceValueFields,
};
use crate::class::schema::values::Id;
use crate::spec::{
    Absent, Directory, Encoding, EngineRequest, Format, KeyForm, KeyType, Keys, Keystore, MountPath, Object,
    Part, Placement, Selector, SelectorPath, SelectorRoot, Source, SourceValue, StoreForm, Template, View,
};

/// The mode and the owners of files that do not set their own.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Access {
    /// Permission bits, 1 to 0o777.
    pub(crate) mode: u32,
    pub(crate) owner: Option<u32>,
    pub(crate) group: Option<u32>,
}

/// The content of a file.
#[derive(Clone)]
pub(crate) enum Content {
    Source(Source),
    Template(Template),
}

impl FileFields {
    /// True if one of the fields is present.
    pub(crate) fn is_some(&self) -> bool {
        let texts = [&self.object_name, &self.directory, &self.alias, &self.default]
            .iter()
            .any(|text| text.is_some());
        let words = self.format.is_some()
            || self.part.is_some()
            || self.key_form.is_some()
            || self.store_form.is_some();
        let access = self.mode.as_ref().is_some_and(|mode| mode.0 != 0)
            || self.owner.is_some()
            || self.group.is_some();
        texts || words || access || self.keys.is_some() || self.password.is_some() || self.optional.is_some()
    }

    /// The object, and the paths of its files. The path of a single file is returned even if the rest of the object has a mistake.
    pub(crate) fn object(
        mut self,
        selector: SelectorFields,
        content: Option<Content>,
        access: Access,
        context: ParseContext<'_>,
        at: &mut FieldContext<'_>,
    ) -> (Vec<MountPath>, Option<Object>) {
        if !context.is_upstream && self.expand(&Names { pod: context.pod }, at).is_none() {
            return (Vec::new(), None);
        }
        let mode = self.mode.take().map(|mode| mode.0).filter(|mode| *mode != 0).unwrap_or(access.mode);
        let id = |own: Option<Id>, class| own.map(|id| id.0).or(class);
        let (owner, group) = (id(self.owner.take(), access.owner), id(self.group.take(), access.group));
        let absent = self.absent(at);
        let (names, place) =
            match (self.object_name.take().filter(|name| !name.is_empty()), self.directory.take()) {
                (Some(_), Some(_)) => {
                    (Vec::new(), at.error(FieldError::Both(Self::OBJECT_NAME, Self::DIRECTORY)))
                }
                (None, Some(directory)) => {
                    let place = self.directory(&directory, selector, content, absent.as_ref(), at);
                    (place.iter().flat_map(Placement::listed).cloned().collect(), place)
                }
                (name, None) => {
                    let (name, place) = self.file(name.unwrap_or_default(), selector, content, context, at);
                    (Vec::from_iter(name), place)
                }
            };
        let object = || Some(Object { place: place?, mode, owner, group, absent: absent? });
        (names, object())
    }

    /// Replaces the names of the pod in the names of files; `None` after a problem.
    fn expand(&mut self, names: &Names<'_>, at: &mut FieldContext<'_>) -> Option<()> {
        self.object_name = names.field(Self::OBJECT_NAME, self.object_name.take(), at)?;
        self.directory = names.field(Self::DIRECTORY, self.directory.take(), at)?;
        if let Some(KeyFields::Some(files)) = &mut self.keys {
            let mut at = at.field(Self::KEYS);
            for (key, file) in files.iter_mut().filter(|(key, file)| key != file) {
                *file = at.field(key).take(names.expanded(file))?;
            }
        }
        Some(())
    }

    fn absent(&mut self, at: &mut FieldContext<'_>) -> Option<Absent> {
        match (self.optional.take(), self.default.take()) {
            (Some(true), Some(_)) => at.error(FieldError::Both(Self::OPTIONAL, Self::DEFAULT)),
            (Some(true), None) => Some(Absent::NoFile),
            (_, Some(text)) => Some(Absent::Default(text.into())),
            (_, None) => Some(Absent::Fails),
        }
    }

    fn directory(
        mut self,
        directory: &str,
        selector: SelectorFields,
        content: Option<Content>,
        absent: Option<&Absent>,
        at: &mut FieldContext<'_>,
    ) -> Option<Placement> {
        let path = match directory {
            "." => Some(None),
            directory => {
                at.field(Self::DIRECTORY).take(directory.parse().map(Some).map_err(FieldError::Name))
            }
        };
        let keys = self.keys(path.as_ref(), at);
        let encoding = selector.encoding.unwrap_or_default();
        let selector = selector.selector(at);
        self.without_certificate_fields(at)?;
        let Content::Source(source) = content? else {
            return at.error(FieldError::Both(ObjectFields::TEMPLATE, Self::DIRECTORY));
        };
        let selector = selector?;
        if self.format.is_some() || matches!(selector.path, SelectorPath::Key(_) | SelectorPath::Pointer(_)) {
            return at.field(Self::DIRECTORY).error(FieldError::Type(
                "without secretKey, pointer and format: `keys` selects the values; with `parse` they are inside a text",
            ));
        }
        if matches!(absent, Some(Absent::Default(_))) {
            return at.field(Self::DEFAULT).error(FieldError::Needs(Self::OBJECT_NAME));
        }
        if !has_members(&source) {
            return at.field(Self::DIRECTORY).error(FieldError::Needs("kv, request or a certificate"));
        }
        Some(Placement::Directory(Directory { path: path?, source, selector, keys: keys?, encoding }))
    }

    /// The keys, each with the path of its file below `directory`; `None` after a problem.
    fn keys(&mut self, directory: Option<&Option<MountPath>>, at: &mut FieldContext<'_>) -> Option<Keys> {
        let Some(KeyFields::Some(names)) = self.keys.take() else { return Some(Keys::All) };
        let directory = directory?;
        let mut at = at.field(Self::KEYS);
        let files = names.into_iter().map(|(key, name)| {
            let path = MountPath::below(directory.as_ref(), &name);
            Some((key.clone(), at.field(&key).take(path.map_err(FieldError::Name))?))
        });
        files.collect::<Vec<_>>().into_iter().collect::<Option<_>>().map(Keys::Named)
    }

    fn file(
        mut self,
        name: String,
        selector: SelectorFields,
        content: Option<Content>,
        context: ParseContext<'_>,
        at: &mut FieldContext<'_>,
    ) -> (Option<MountPath>, Option<Placement>) {
        let name: Option<MountPath> = at.take(name.parse().map_err(FieldError::ObjectName));
        if self.keys.take().is_some() {
            return (name, at.field(Self::KEYS).error(FieldError::Needs(Self::DIRECTORY)));
        }
        let view = match content {
            Some(Content::Template(template)) => self.template_view(&selector, template, at),
            Some(Content::Source(source)) => self.source_view(source, selector, context, at),
            None => None,
        };
        let place = name.clone().zip(view).map(|(name, view)| Placement::File(name, view));
        (name, place)
    }

    fn template_view(
        &mut self,
        selector: &SelectorFields,
        template: Template,
        at: &mut FieldContext<'_>,
    ) -> Option<View> {
        self.without_certificate_fields(at)?;
        if selector.is_some() || selector.encoding.is_some() || self.format.is_some() {
            return at.field(ObjectFields::TEMPLATE).error(FieldError::Type(
                "without secretKey, pointer, from, encoding and format: set them in its sources",
            ));
        }
        Some(View::Template(template))
    }

    fn source_view(
        &mut self,
        source: Source,
        selector: SelectorFields,
        context: ParseContext<'_>,
        at: &mut FieldContext<'_>,
    ) -> Option<View> {
        let (encoding, has_selector) = (selector.encoding.unwrap_or_default(), selector.is_some());
        let selector = selector.selector(at)?;
        if matches!(source.request, EngineRequest::Certificate(_) | EngineRequest::Authorities { .. }) {
            return self.certificate_view(source, selector, encoding, context, at);
        }
        self.without_certificate_fields(at)?;
        if !has_members(&source) && (has_selector || self.format.is_some()) {
            return at.error(FieldError::Decrypted);
        }
        let whole = selector.path == SelectorPath::Whole;
        let is_object = whole || matches!(selector.path, SelectorPath::Parsed(_));
        if encoding != Encoding::Utf8 && whole && has_members(&source) {
            return at.field(SelectorFields::ENCODING).error(FieldError::Needs("secretKey or pointer"));
        }
        match (&source.request, self.format, is_object) {
            (_, Some(_), false) => at
                .field(Self::FORMAT)
                .error(FieldError::Type("without secretKey and pointer: it applies to the whole secret, or with `parse` to the document in a text")),
            (_, Some(format), true) => Some(View::Document(source, selector, format)),
            (EngineRequest::Kv(_), None, _) if whole => Some(View::Document(source, selector, Format::Json)),
            (EngineRequest::Request(_), None, _)
                if whole && (selector.root == SelectorRoot::Response || !has_selector) =>
            {
                Some(View::Response(source))
            }
            (EngineRequest::Request(_), None, _) if whole => {
                Some(View::Document(source, selector, Format::Json))
            }
            _ => Some(View::Value(SourceValue { source, selector, encoding })),
        }
    }

    fn certificate_view(
        &mut self,
        source: Source,
        selector: Selector,
        encoding: Encoding,
        context: ParseContext<'_>,
        at: &mut FieldContext<'_>,
    ) -> Option<View> {
        if self.format.is_some() {
            return at
                .field(Self::FORMAT)
                .error(FieldError::Type("omitted: a certificate has `part`, and a key has `keyFormat`"));
        }
        let has_path = selector.path != SelectorPath::Whole;
        match (self.part.take(), has_path) {
            (Some(_), true) => at.field(Self::PART).error(FieldError::Type("without secretKey and pointer")),
            (Some(_), false) if selector.root != SelectorRoot::Data || encoding != Encoding::Utf8 => {
                at.field(Self::PART).error(FieldError::Type("without from and encoding"))
            }
            (None, true) => self
                .without_certificate_fields(at)
                .map(|()| View::Value(SourceValue { source, selector, encoding })),
            // A problem with the field was reported before.
            (None, false) if !at.is_clean() => None,
            (None, false) => at
                .field(Self::PART)
                .error(FieldError::Missing("set it to certificateChain, privateKey, ca, ...")),
            (Some(part), false) => {
                let part = self.part(part, context, at)?;
                if let (Part::PrivateKey(form) | Part::Bundle(form), Some(algorithm)) =
                    (&part, source.node_key().map(KeyType::algorithm))
                    && !algorithm.supports(*form)
                {
                    return at.field(Self::KEY_FORMAT).error(FieldError::KeyForm(algorithm));
                }
                let is_issued = !matches!(source.request, EngineRequest::Authorities { .. });
                match part {
                    Part::Chain | Part::Ca | Part::IssuingCa | Part::Truststore(_) => {
                        Some(View::Part(source, part))
                    }
                    part if is_issued => Some(View::Part(source, part)),
                    _ => at.field(Self::PART).error(FieldError::Type(
                        "ca, issuingCa, chain or truststore: no certificate is issued with `ca: true`",
                    )),
                }
            }
        }
    }

    fn part(&mut self, name: PartName, context: ParseContext<'_>, at: &mut FieldContext<'_>) -> Option<Part> {
        let form = self.key_form.take();
        let has_key = matches!(name, PartName::PrivateKey | PartName::Bundle);
        if form.is_some() && !has_key {
            return at.field(Self::KEY_FORMAT).error(FieldError::Needs("part: privateKey or bundle"));
        }
        let form: KeyForm = form.unwrap_or_default();
        let part = match name {
            PartName::Certificate => Part::Certificate,
            PartName::Chain => Part::Chain,
            PartName::CertificateChain => Part::CertificateChain,
            PartName::FullChain => Part::FullChain,
            PartName::PrivateKey => Part::PrivateKey(form),
            PartName::Ca => Part::Ca,
            PartName::IssuingCa => Part::IssuingCa,
            PartName::Bundle => Part::Bundle(form),
            PartName::Pkcs12 => {
                Part::Keystore(self.keystore(Some(StoreForm::Pkcs12), "certificate", context, at)?)
            }
            PartName::Jks => {
                Part::Keystore(self.keystore(Some(StoreForm::Jks), "certificate", context, at)?)
            }
            PartName::Truststore => Part::Truststore(self.keystore(None, "ca", context, at)?),
        };
        self.without_keystore_fields(at)?;
        Some(part)
    }

    fn keystore(
        &mut self,
        form: Option<StoreForm>,
        alias: &str,
        context: ParseContext<'_>,
        at: &mut FieldContext<'_>,
    ) -> Option<Box<Keystore>> {
        let own = self.store_form.take();
        if form.is_some() && own.is_some() {
            return at.field(Self::STORE_TYPE).error(FieldError::Needs("part: truststore"));
        }
        let form = form.or(own).unwrap_or_default();
        let alias = self.alias.take().unwrap_or_else(|| alias.into());
        let alias = at.field(Self::ALIAS).take(alias.parse().map_err(FieldError::Alias));
        let Some(password) = self.password.take() else {
            return at
                .field(Self::PASSWORD)
                .error(FieldError::Missing("set the value that contains the password of the keystore"));
        };
        let password =
            SourceValueFields::source_value(password, context, false, &mut at.field(Self::PASSWORD))?;
        Some(Box::new(Keystore { form, alias: alias?, password }))
    }

    /// Refuses the fields of certificates.
    fn without_certificate_fields(&self, at: &mut FieldContext<'_>) -> Option<()> {
        match (self.part.is_some(), self.key_form.is_some()) {
            (true, _) => at.field(Self::PART).error(FieldError::Needs(SourceFields::PKI)),
            (_, true) => at.field(Self::KEY_FORMAT).error(FieldError::Needs(SourceFields::PKI)),
            _ => self.without_keystore_fields(at),
        }
    }

    /// Refuses the fields of keystores.
    fn without_keystore_fields(&self, at: &mut FieldContext<'_>) -> Option<()> {
        let fields = [
            (Self::PASSWORD, self.password.is_some()),
            (Self::ALIAS, self.alias.is_some()),
            (Self::STORE_TYPE, self.store_form.is_some()),
        ];
        match fields.into_iter().find(|(_, present)| *present) {
            Some((Self::STORE_TYPE, _)) => {
                at.field(Self::STORE_TYPE).error(FieldError::Needs("part: truststore"))
            }
            Some((field, _)) => at.field(field).error(FieldError::Needs("part: pkcs12, jks or truststore")),
            None => Some(()),
        }
    }
}

/// True if the response has members that a selector can select. A decrypted text and the CAs of a mount have none.
fn has_members(source: &Source) -> bool {
    match source.request {
        EngineRequest::Request(_) | EngineRequest::Kv(_) | EngineRequest::Certificate(_) => true,
        EngineRequest::Transit(_) | EngineRequest::S5(_) | EngineRequest::Authorities { .. } => false,
    }
}
