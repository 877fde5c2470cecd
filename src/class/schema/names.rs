//! Names in certificates, which may contain the pod's own names.

use crate::class::diagnostics::FieldError;
use crate::class::schema::field::FieldContext;
use crate::class::schema::values::TextList;
use crate::spec::Pod;

/// Replaces `${POD_NAME}` and its like.
pub(crate) struct Names<'p> {
    pub(crate) pod: Option<&'p Pod>,
}

impl Names<'_> {
    /// The names of `field`, none if it is absent; `None` after a problem.
    pub(crate) fn all(
        &self,
        field: &'static str,
        names: Option<TextList>,
        at: &mut FieldContext<'_>,
    ) -> Option<Vec<String>> {
        let mut at = at.field(field);
        if names.as_ref().is_some_and(|TextList(names)| names.iter().any(|name| name.contains(','))) {
            return at.error(FieldError::Type(
                "a list with one name in each member: Vault treats a comma as the end of a name",
            ));
        }
        names
            .map_or_else(Vec::new, |TextList(names)| names)
            .iter()
            .map(|name| at.take(self.expanded(name)))
            .collect()
    }

    /// `name` with `${POD_NAME}` and its like replaced. cert-manager's CSI driver uses the same names.
    fn expanded(&self, name: &str) -> Result<String, FieldError> {
        let mut expanded = String::new();
        let mut rest = name;
        while let Some((before, after)) = rest.split_once("${") {
            let (variable, after_variable) = after.split_once('}').ok_or(FieldError::Variable)?;
            expanded += before;
            expanded += self.pod.map_or(Ok(""), |pod| value(pod, variable))?;
            rest = after_variable;
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
