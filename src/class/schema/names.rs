//! Names of certificates: what the kubelet vouches for may be part of them.

use crate::class::diagnostics::FieldError;
use crate::class::schema::field::At;
use crate::class::schema::values::TextList;
use crate::spec::Pod;

/// Names with the pod's own fields in them.
pub(crate) struct Names<'p> {
    pub(crate) pod: Option<&'p Pod>,
}

impl Names<'_> {
    pub(crate) fn all(
        &self,
        field: &'static str,
        names: Option<TextList>,
        at: &mut At<'_>,
    ) -> Option<Vec<String>> {
        let mut at = at.below(field);
        if names.as_ref().is_some_and(|TextList(names)| names.iter().any(|name| name.contains(','))) {
            return at
                .wrong(FieldError::Type("one name a member: Vault takes a comma for the end of a name"));
        }
        names
            .map_or_else(Vec::new, |TextList(names)| names)
            .iter()
            .map(|name| at.take(self.expanded(name)))
            .collect()
    }

    /// `name` with `${POD_NAME}` and its like replaced, as cert-manager's CSI driver spells them.
    fn expanded(&self, name: &str) -> Result<String, FieldError> {
        let mut expanded = String::new();
        let mut rest = name;
        while let Some((before, after)) = rest.split_once("${") {
            let (variable, behind) = after.split_once('}').ok_or(FieldError::Variable)?;
            expanded += before;
            expanded += self.pod.map_or(Ok(""), |pod| value(pod, variable))?;
            rest = behind;
        }
        Ok(expanded + rest)
    }
}

fn value<'p>(pod: &'p Pod, variable: &str) -> Result<&'p str, FieldError> {
    match variable {
        "POD_NAME" => Ok(&pod.name),
        "POD_NAMESPACE" => Ok(&pod.namespace),
        "POD_UID" => Ok(&pod.uid),
        "SERVICE_ACCOUNT_NAME" => Ok(&pod.service_account),
        _ => Err(FieldError::Variable),
    }
}
