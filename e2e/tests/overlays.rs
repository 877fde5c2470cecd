//! The overlays that the documentation shows, built with the kubectl of the cluster.

use std::path::Path;

use tempfile::TempDir;

use crate::support::kustomize;

/// The address that every overlay shown sets.
const ADDRESS: &str = "https://vault.internal:8200";

/// Components that an operator may add to an overlay.
const COMPONENTS: [&str; 4] = ["", "own-writer", "pod-watch", "token-request"];

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The `kustomization.yaml` files of docs/operations.md, without the indentation of the list that they are in.
fn of_the_documentation() -> Vec<String> {
    let text = read("docs/operations.md");
    let blocks = text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks
        .filter(|block| block.contains("kind: Kustomization"))
        .map(|block| {
            let indentation = block.len() - block.trim_start().len();
            block.lines().map(|line| line.get(indentation..).unwrap_or_default().to_owned() + "\n").collect()
        })
        .collect()
}

/// The overlay in the first comment of deploy/kustomization.yaml.
fn of_the_comment() -> String {
    let text = read("deploy/kustomization.yaml");
    let comment = text.lines().take_while(|line| line.starts_with('#'));
    comment.filter_map(|line| line.strip_prefix("#   ")).map(|line| line.to_owned() + "\n").collect()
}

/// What kubectl builds from `overlay` with a component, each line without its indentation.
fn built(overlay: &str, component: &str) -> String {
    let home = TempDir::new().unwrap();
    let (deploy, mine) = (home.path().join("deploy"), home.path().join("overlay"));
    std::os::unix::fs::symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy"), deploy).unwrap();
    std::fs::create_dir(&mine).unwrap();
    std::fs::write(mine.join("ca.crt"), "a certificate").unwrap();
    let components = match component {
        "" => String::new(),
        name => format!("components: [../deploy/{name}]\n"),
    };
    std::fs::write(mine.join("kustomization.yaml"), format!("{overlay}{components}")).unwrap();
    let output = kustomize(&mine).unwrap_or_else(|error| panic!("{component}: {error}\n{overlay}"));
    output.lines().map(|line| line.trim().to_owned() + "\n").collect()
}

#[test]
fn an_overlay_of_the_documentation_sets_the_address_and_leaves_the_node_name() {
    let documented = of_the_documentation();
    assert!(!documented.is_empty());
    for overlay in [documented, vec![of_the_comment()]].concat() {
        for component in COMPONENTS {
            let manifest = built(&overlay, component);
            let address = format!("- name: VAULT_ADDR\nvalue: {ADDRESS}\n");
            assert_eq!(manifest.matches(&address).count(), 1, "{component}: {manifest}");
            assert_eq!(manifest.matches("name: VAULT_ADDR\n").count(), 1, "{component}: {manifest}");
            let node = "- name: NODE_NAME\nvalueFrom:\nfieldRef:\nfieldPath: spec.nodeName\n";
            assert_eq!(manifest.matches(node).count(), 1, "{component}: {manifest}");
            assert_eq!(manifest.matches("name: NODE_NAME\n").count(), 1, "{component}: {manifest}");
        }
    }
}

#[test]
fn the_documented_ca_is_mounted_and_named_by_a_flag() {
    let [overlay] = of_the_documentation().try_into().unwrap();
    let manifest = built(&overlay, "");
    for part in [
        "- --vault-tls-ca-cert=/ca/ca.crt\n",
        "- --allow-address=$(VAULT_ADDR)\n",
        "- mountPath: /ca\nname: ca\nreadOnly: true\n",
        "- mountPath: /provider\nname: providers\n",
    ] {
        assert!(manifest.contains(part), "{part} is missing: {manifest}");
    }
}
