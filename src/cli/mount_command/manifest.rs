//! Parses a SecretProviderClass from a manifest.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

/// The part of a SecretProviderClass that the driver uses.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Class {
    /// `metadata.name`.
    pub(crate) name: String,
    /// `spec.provider`: the base name of the socket.
    pub(crate) provider: String,
    /// `spec.parameters`; never empty.
    pub(crate) parameters: BTreeMap<String, String>,
}

/// Why a manifest could not be used. Quotes only names from the manifest.
#[derive(Debug, Error)]
pub(crate) enum ClassError {
    /// The file does not exist, or may not be read.
    #[error("class manifest {path}: cannot be read")]
    Unreadable {
        /// The manifest.
        path: PathBuf,
        /// The error of the system call.
        #[source]
        source: io::Error,
    },
    /// The text is not YAML, or a field has not the type of the CRD.
    #[error(
        "class manifest {path}: not a SecretProviderClass as YAML or JSON{place}; parameters are strings, so quote numbers and booleans"
    )]
    Invalid {
        /// The manifest.
        path: PathBuf,
        /// Line and column, if known.
        place: String,
    },
    /// There is no class, or none with the wanted name.
    #[error(
        "class manifest {path}: contains no SecretProviderClass{wanted} with spec.provider and spec.parameters"
    )]
    None {
        /// The manifest.
        path: PathBuf,
        /// The wanted name, as part of the sentence.
        wanted: String,
    },
    /// There is more than one class.
    #[error(
        "class manifest {path}: contains several SecretProviderClasses ({names}); choose one with --class-name"
    )]
    Several {
        /// The manifest.
        path: PathBuf,
        /// Their names.
        names: String,
    },
}

/// Any Kubernetes object, with the fields of a class.
#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    name: String,
}

#[derive(Default, Deserialize)]
struct Spec {
    #[serde(default)]
    provider: String,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
}

impl Class {
    /// Reads the only class of the manifest at `path`, or the one called `name`.
    pub(crate) fn read(path: &Path, name: Option<&str>) -> Result<Self, ClassError> {
        let text = fs::read_to_string(path)
            .map_err(|source| ClassError::Unreadable { path: path.into(), source })?;
        Self::parse(path, &text, name)
    }

    fn parse(path: &Path, text: &str, name: Option<&str>) -> Result<Self, ClassError> {
        let objects: Vec<Manifest> = serde_saphyr::from_multiple(text).map_err(|error| {
            let place = error
                .location()
                .map(|at| format!(" (line {}, column {})", at.line(), at.column()))
                .unwrap_or_default();
            ClassError::Invalid { path: path.into(), place }
        })?;
        let mut classes: Vec<_> = objects.into_iter().filter_map(Self::from_manifest).collect();
        classes.retain(|class| name.is_none_or(|name| name == class.name));
        match classes.len() {
            1 => Ok(classes.remove(0)),
            0 => Err(ClassError::None {
                path: path.into(),
                wanted: name.map(|name| format!(" {name:?}")).unwrap_or_default(),
            }),
            _ => {
                let names: Vec<_> = classes.into_iter().map(|class| class.name).collect();
                Err(ClassError::Several { path: path.into(), names: names.join(", ") })
            }
        }
    }

    fn from_manifest(object: Manifest) -> Option<Self> {
        let Manifest { kind, metadata, spec } = object;
        let is_usable =
            kind == "SecretProviderClass" && !spec.provider.is_empty() && !spec.parameters.is_empty();
        is_usable.then_some(Self {
            name: metadata.name,
            provider: spec.provider,
            parameters: spec.parameters,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLASS: &str = "apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata: {name: db}
spec:
  provider: vault
  parameters:
    roleName: app
    objects: |
      - {objectName: a, secretPath: b}
  secretObjects: [{secretName: s, type: Opaque, data: [{key: k, objectName: a}]}]
";
    const POD: &str =
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: c, image: i}]}\n";

    fn parse(text: &str, name: Option<&str>) -> Result<Class, ClassError> {
        Class::parse(Path::new("class.yaml"), text, name)
    }

    #[test]
    fn the_class_is_found_in_a_manifest_with_a_pod() {
        let class = parse(&format!("{POD}---\n{CLASS}"), None).unwrap();
        assert_eq!((class.name.as_str(), class.provider.as_str()), ("db", "vault"));
        assert_eq!(class.parameters["objects"], "- {objectName: a, secretPath: b}\n");
    }

    #[test]
    fn a_manifest_may_be_json() {
        let text = r#"{"kind": "SecretProviderClass", "metadata": {"name": "db"}, "spec": {"provider": "vault", "parameters": {"roleName": "app"}}}"#;
        assert_eq!(parse(text, None).unwrap().parameters["roleName"], "app");
    }

    #[test]
    fn several_classes_need_a_name() {
        let two = format!("{CLASS}---\n{}", CLASS.replace("name: db", "name: web"));
        assert!(
            parse(&two, None).unwrap_err().to_string().contains("(db, web); choose one with --class-name")
        );
        assert_eq!(parse(&two, Some("web")).unwrap().name, "web");
        assert!(
            parse(&two, Some("other")).unwrap_err().to_string().contains("no SecretProviderClass \"other\"")
        );
    }

    #[test]
    fn a_manifest_without_a_class_is_refused_and_not_quoted() {
        assert!(matches!(parse(POD, None), Err(ClassError::None { .. })));
        let odd = parse("kind: SecretProviderClass\nspec: {parameters: [canary]}\n", None).unwrap_err();
        assert!(odd.to_string().contains("line 2") && !format!("{odd:?}").contains("canary"), "{odd:?}");
    }
}
