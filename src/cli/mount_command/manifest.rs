//! A SecretProviderClass from its manifest.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

/// What the driver takes from a SecretProviderClass.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Class {
    /// `metadata.name`.
    pub(crate) name: String,
    /// `spec.provider`: the base name of the socket.
    pub(crate) provider: String,
    /// `spec.parameters`; never empty.
    pub(crate) parameters: BTreeMap<String, String>,
}

/// Why a manifest gave no class. Quotes nothing of the manifest but names.
#[derive(Debug, Error)]
pub enum ClassError {
    /// No such file, or no right to read it.
    #[error("class manifest {path}: cannot be read")]
    Unreadable {
        /// The manifest.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Not YAML, or a member is not what the CRD wants.
    #[error(
        "class manifest {path}: not a SecretProviderClass as YAML or JSON{place}; parameters are strings, so quote numbers and booleans"
    )]
    Odd {
        /// The manifest.
        path: PathBuf,
        /// Line and column, when known.
        place: String,
    },
    /// No class, or none of the wanted name.
    #[error(
        "class manifest {path}: holds no SecretProviderClass{wanted} with spec.provider and spec.parameters"
    )]
    None {
        /// The manifest.
        path: PathBuf,
        /// The wanted name, as part of the sentence.
        wanted: String,
    },
    /// More than one.
    #[error(
        "class manifest {path}: holds several SecretProviderClasses ({names}); choose one with --class-name"
    )]
    Several {
        /// The manifest.
        path: PathBuf,
        /// Their names.
        names: String,
    },
}

/// Any Kubernetes object, as far as it may be a class.
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
    /// Reads the one class of the manifest at `path`, or the one called `name`.
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
            ClassError::Odd { path: path.into(), place }
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
        let usable =
            kind == "SecretProviderClass" && !spec.provider.is_empty() && !spec.parameters.is_empty();
        usable.then_some(Self { name: metadata.name, provider: spec.provider, parameters: spec.parameters })
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
    fn the_class_is_found_beside_a_pod() {
        let class = parse(&format!("{POD}---\n{CLASS}"), None).unwrap();
        assert_eq!((class.name.as_str(), class.provider.as_str()), ("db", "vault"));
        assert_eq!(class.parameters["objects"], "- {objectName: a, secretPath: b}\n");
    }

    #[test]
    fn json_is_read_too() {
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
    fn what_is_no_class_is_refused_and_never_quoted() {
        assert!(matches!(parse(POD, None), Err(ClassError::None { .. })));
        let odd = parse("kind: SecretProviderClass\nspec: {parameters: [canary]}\n", None).unwrap_err();
        assert!(odd.to_string().contains("line 2") && !format!("{odd:?}").contains("canary"), "{odd:?}");
    }
}
