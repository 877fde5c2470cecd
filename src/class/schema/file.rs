//! Fields of a file -> Object: what it shows of its source, and where.

use super::ParseContext;
use crate::class::diagnostics::FieldError;
use crate::class::schema::field::At;
use crate::class::schema::table::{FileFields, SelectorFields, SourceValueFields};
use crate::class::schema::values::Id;
use crate::class::schema::words::{Keys as KeyFields, PartName};
use crate::spec::{Absent, Directory, Keys, Keystore, Object, Part, Placement, View};
use crate::spec::{Encoding, Format, KeyForm, KeyType, MountPath, StoreForm, Template};
use crate::spec::{EngineRequest, Selector, SelectorPath, SelectorRoot, Source, SourceValue};

/// What a class says of all its files.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Access {
    /// Permission bits, 1 to 0o777.
    pub(crate) mode: u32,
    pub(crate) owner: Option<u32>,
    pub(crate) group: Option<u32>,
}

/// What a file is made of.
#[derive(Clone)]
pub(crate) enum Material {
    Source(Source),
    Template(Template),
}

impl FileFields {
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

    /// The object that they describe, and the names of its files: of one, even when the rest of it is wrong.
    pub(crate) fn object(
        mut self,
        pick: SelectorFields,
        material: Option<Material>,
        access: Access,
        scene: ParseContext<'_>,
        at: &mut At<'_>,
    ) -> (Vec<MountPath>, Option<Object>) {
        let mode = self.mode.take().map(|mode| mode.0).filter(|mode| *mode != 0).unwrap_or(access.mode);
        let id = |own: Option<Id>, class| own.map(|id| id.0).or(class);
        let (owner, group) = (id(self.owner.take(), access.owner), id(self.group.take(), access.group));
        let absent = self.absent(at);
        let (names, place) =
            match (self.object_name.take().filter(|name| !name.is_empty()), self.directory.take()) {
                (Some(_), Some(_)) => (Vec::new(), at.wrong(FieldError::Both("objectName", "directory"))),
                (None, Some(directory)) => {
                    let place = self.directory(&directory, pick, material, absent.as_ref(), at);
                    (place.iter().flat_map(Placement::listed).cloned().collect(), place)
                }
                (name, None) => {
                    let (name, place) = self.file(name.unwrap_or_default(), pick, material, scene, at);
                    (Vec::from_iter(name), place)
                }
            };
        let object = || Some(Object { place: place?, mode, owner, group, absent: absent? });
        (names, object())
    }

    fn absent(&mut self, at: &mut At<'_>) -> Option<Absent> {
        match (self.optional.take(), self.default.take()) {
            (Some(true), Some(_)) => at.wrong(FieldError::Both("optional", "default")),
            (Some(true), None) => Some(Absent::NoFile),
            (_, Some(text)) => Some(Absent::Default(text.into())),
            (_, None) => Some(Absent::Fails),
        }
    }

    fn directory(
        mut self,
        root: &str,
        pick: SelectorFields,
        material: Option<Material>,
        absent: Option<&Absent>,
        at: &mut At<'_>,
    ) -> Option<Placement> {
        let root = match root {
            "." => Some(None),
            root => at.below("directory").take(root.parse().map(Some).map_err(FieldError::Name)),
        };
        let keys = self.keys(root.as_ref(), at);
        let (encoding, secret_key) = (pick.encoding.unwrap_or_default(), pick.secret_key.is_some());
        let pick = pick.pick(at);
        self.alone(at)?;
        let Material::Source(source) = material? else {
            return at.wrong(FieldError::Both("template", "directory"));
        };
        if self.format.is_some() || secret_key || matches!(pick.as_ref()?.way, SelectorPath::Pointer(_)) {
            return at
                .below("directory")
                .wrong(FieldError::Type("without secretKey, pointer and format: `keys` says which"));
        }
        if matches!(absent, Some(Absent::Default(_))) {
            return at.below("default").wrong(FieldError::Needs("objectName"));
        }
        if !has_members(&source) {
            return at.below("directory").wrong(FieldError::Needs("kv, request or a certificate"));
        }
        Some(Placement::Directory(Directory {
            root: root?,
            source,
            start: pick?.start,
            keys: keys?,
            encoding,
        }))
    }

    /// The keys, each with the path of its file.
    fn keys(&mut self, root: Option<&Option<MountPath>>, at: &mut At<'_>) -> Option<Keys> {
        let Some(KeyFields::Some(names)) = self.keys.take() else { return Some(Keys::All) };
        let root = root?;
        let mut at = at.below("keys");
        let named = names.into_iter().map(|(key, name)| {
            let path = MountPath::below(root.as_ref(), &name);
            Some((key.clone(), at.below(&key).take(path.map_err(FieldError::Name))?))
        });
        named.collect::<Vec<_>>().into_iter().collect::<Option<_>>().map(Keys::Named)
    }

    fn file(
        mut self,
        name: String,
        pick: SelectorFields,
        material: Option<Material>,
        scene: ParseContext<'_>,
        at: &mut At<'_>,
    ) -> (Option<MountPath>, Option<Placement>) {
        let name: Option<MountPath> = at.take(name.parse().map_err(FieldError::ObjectName));
        if self.keys.take().is_some() {
            return (name, at.below("keys").wrong(FieldError::Needs("directory")));
        }
        let view = match material {
            Some(Material::Template(template)) => self.of_template(&pick, template, at),
            Some(Material::Source(source)) => self.of_source(source, pick, scene, at),
            None => None,
        };
        let place = name.clone().zip(view).map(|(name, view)| Placement::File(name, view));
        (name, place)
    }

    fn of_template(&mut self, pick: &SelectorFields, template: Template, at: &mut At<'_>) -> Option<View> {
        self.alone(at)?;
        if pick.is_some() || pick.encoding.is_some() || self.format.is_some() {
            return at.below("template").wrong(FieldError::Type(
                "without secretKey, pointer, from, encoding and format: they stand in its sources",
            ));
        }
        Some(View::Template(template))
    }

    fn of_source(
        &mut self,
        source: Source,
        pick: SelectorFields,
        scene: ParseContext<'_>,
        at: &mut At<'_>,
    ) -> Option<View> {
        let (encoding, picked) = (pick.encoding.unwrap_or_default(), pick.is_some());
        let pick = pick.pick(at)?;
        if matches!(source.request, EngineRequest::Certificate(_) | EngineRequest::Authorities { .. }) {
            return self.of_certificate(source, pick, encoding, scene, at);
        }
        self.alone(at)?;
        if !has_members(&source) && (picked || self.format.is_some()) {
            return at.wrong(FieldError::Opened);
        }
        let whole = pick.way == SelectorPath::Whole;
        if encoding != Encoding::Utf8 && whole && has_members(&source) {
            return at.below("encoding").wrong(FieldError::Needs("secretKey or pointer"));
        }
        match (&source.request, self.format, whole) {
            (_, Some(_), false) => at
                .below("format")
                .wrong(FieldError::Type("without secretKey and pointer: it is for the whole")),
            (_, Some(format), true) => Some(View::Document(source, pick.start, format)),
            (EngineRequest::Kv(_), None, true) => Some(View::Document(source, pick.start, Format::Json)),
            (EngineRequest::Request(_), None, true) if pick.start == SelectorRoot::Response || !picked => {
                Some(View::Response(source))
            }
            (EngineRequest::Request(_), None, true) => Some(View::Document(source, pick.start, Format::Json)),
            _ => Some(View::Value(SourceValue { source, pick, encoding })),
        }
    }

    fn of_certificate(
        &mut self,
        source: Source,
        pick: Selector,
        encoding: Encoding,
        scene: ParseContext<'_>,
        at: &mut At<'_>,
    ) -> Option<View> {
        if self.format.is_some() {
            return at
                .below("format")
                .wrong(FieldError::Type("left out: a certificate has parts, and a key its keyFormat"));
        }
        let way = pick.way != SelectorPath::Whole;
        match (self.part.take(), way) {
            (Some(_), true) => at.below("part").wrong(FieldError::Type("without secretKey and pointer")),
            (Some(_), false) if pick.start != SelectorRoot::Data || encoding != Encoding::Utf8 => {
                at.below("part").wrong(FieldError::Type("without from and encoding"))
            }
            (None, true) => self.alone(at).map(|()| View::Value(SourceValue { source, pick, encoding })),
            // What was written there is wrong already.
            (None, false) if !at.is_clean() => None,
            (None, false) => at
                .below("part")
                .wrong(FieldError::Missing("say which: certificateChain, privateKey, ca, ...")),
            (Some(part), false) => {
                let part = self.part(part, scene, at)?;
                if let (Part::PrivateKey(form) | Part::Bundle(form), Some(algorithm)) =
                    (&part, source.node_key().map(KeyType::algorithm))
                    && !algorithm.has(*form)
                {
                    return at.below("keyFormat").wrong(FieldError::KeyForm(algorithm));
                }
                let alone = matches!(source.request, EngineRequest::Authorities { .. });
                match part {
                    Part::Chain | Part::Ca | Part::IssuingCa | Part::Truststore(_) => {
                        Some(View::Part(source, part))
                    }
                    part if !alone => Some(View::Part(source, part)),
                    _ => at.below("part").wrong(FieldError::Type(
                        "ca, issuingCa, chain or truststore: nothing is issued with `ca: true`",
                    )),
                }
            }
        }
    }

    fn part(&mut self, name: PartName, scene: ParseContext<'_>, at: &mut At<'_>) -> Option<Part> {
        let form = self.key_form.take();
        let keyed = matches!(name, PartName::PrivateKey | PartName::Bundle);
        if form.is_some() && !keyed {
            return at.below("keyFormat").wrong(FieldError::Needs("part: privateKey or bundle"));
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
                Part::Keystore(self.keystore(Some(StoreForm::Pkcs12), "certificate", scene, at)?)
            }
            PartName::Jks => Part::Keystore(self.keystore(Some(StoreForm::Jks), "certificate", scene, at)?),
            PartName::Truststore => Part::Truststore(self.keystore(None, "ca", scene, at)?),
        };
        self.no_store(at)?;
        Some(part)
    }

    fn keystore(
        &mut self,
        form: Option<StoreForm>,
        alias: &str,
        scene: ParseContext<'_>,
        at: &mut At<'_>,
    ) -> Option<Box<Keystore>> {
        let own = self.store_form.take();
        if form.is_some() && own.is_some() {
            return at.below("storeType").wrong(FieldError::Needs("part: truststore"));
        }
        let form = form.or(own).unwrap_or_default();
        let alias = self.alias.take().unwrap_or_else(|| alias.into());
        let alias = at.below("alias").take(alias.parse().map_err(FieldError::Alias));
        let Some(password) = self.password.take() else {
            return at
                .below("password")
                .wrong(FieldError::Missing("name the value that holds the keystore's password"));
        };
        let password = SourceValueFields::selection(password, scene, false, &mut at.below("password"))?;
        Some(Box::new(Keystore { form, alias: alias?, password }))
    }

    /// Refuses what only certificates have.
    fn alone(&self, at: &mut At<'_>) -> Option<()> {
        match (self.part.is_some(), self.key_form.is_some()) {
            (true, _) => at.below("part").wrong(FieldError::Needs("pki")),
            (_, true) => at.below("keyFormat").wrong(FieldError::Needs("pki")),
            _ => self.no_store(at),
        }
    }

    fn no_store(&self, at: &mut At<'_>) -> Option<()> {
        let fields = [
            ("password", self.password.is_some()),
            ("alias", self.alias.is_some()),
            ("storeType", self.store_form.is_some()),
        ];
        match fields.into_iter().find(|(_, given)| *given) {
            Some(("storeType", _)) => at.below("storeType").wrong(FieldError::Needs("part: truststore")),
            Some((field, _)) => at.below(field).wrong(FieldError::Needs("part: pkcs12, jks or truststore")),
            None => Some(()),
        }
    }
}

/// Whether the answer has members that may be picked; opened ciphertext is one text.
fn has_members(source: &Source) -> bool {
    !matches!(
        source.request,
        EngineRequest::Transit(_) | EngineRequest::S5(_) | EngineRequest::Authorities { .. }
    )
}
