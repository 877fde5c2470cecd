//! Texts of a class that may contain the names of the pod: paths, arguments, names of files and certificates.

use crate::class::diagnostics::FieldError;
use crate::class::schema::field::FieldContext;
use crate::class::schema::values::TextList;
use crate::spec::{Body, Pod};

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

    /// `text` with `${POD_NAME}` and its like replaced, and `$${` written as `${`. cert-manager's CSI driver uses the same names.
    pub(crate) fn expanded(&self, text: &str) -> Result<String, FieldError> {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            if let Some(before) = before.strip_suffix('$') {
                expanded += before;
                expanded += "${";
                rest = after;
                continue;
            }
            let (variable, after_variable) = after.split_once('}').ok_or(FieldError::Variable)?;
            expanded += before;
            expanded += self.pod.map_or(Ok("pod"), |pod| value(pod, variable))?;
            rest = after_variable;
        }
        Ok(expanded + rest)
    }

    /// The same for the value of `field`; the outer `None` follows a problem.
    pub(crate) fn field(
        &self,
        field: &'static str,
        text: Option<String>,
        at: &mut FieldContext<'_>,
    ) -> Option<Option<String>> {
        match text {
            Some(text) => at.field(field).take(self.expanded(&text)).map(Some),
            None => Some(None),
        }
    }

    /// The same for every text in a request body.
    pub(crate) fn body(
        &self,
        field: &'static str,
        body: Option<Body>,
        at: &mut FieldContext<'_>,
    ) -> Option<Option<Body>> {
        match body {
            Some(body) if body.expose().contains("${") => {
                at.field(field).take(body.map_texts(&|text| self.expanded(text))).map(Some)
            }
            body => Some(body),
        }
    }
}

/// The names that are replaced.
const NAMES: [&str; 4] = ["${POD_NAME}", "${POD_NAMESPACE}", "${POD_UID}", "${SERVICE_ACCOUNT_NAME}"];

/// The first name of [`NAMES`] in one of `texts`: a class in the form of the upstream providers means it as it is written.
pub(crate) fn literal_name<'t>(texts: impl IntoIterator<Item = &'t str>) -> Option<&'static str> {
    texts.into_iter().find_map(|text| NAMES.into_iter().find(|name| text.contains(name)))
}

/// The value of a name. Values are names of Kubernetes, so none of them can add or change a part of a path.
fn value<'p>(pod: &'p Pod, variable: &str) -> Result<&'p str, FieldError> {
    let value = match variable {
        "POD_NAME" => &pod.name,
        "POD_NAMESPACE" => &pod.namespace,
        "POD_UID" => &pod.uid,
        "SERVICE_ACCOUNT_NAME" => &pod.service_account,
        _ => return Err(FieldError::Variable),
    };
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.' | '_');
    if value.starts_with(|first: char| first.is_ascii_alphanumeric()) && value.chars().all(is_name) {
        Ok(value)
    } else {
        Err(FieldError::PodFact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_part_of_a_path_and_two_dollars_are_one() {
        let pod = |name: &str| Pod {
            namespace: "team-a".into(),
            name: name.into(),
            uid: "0c5a".into(),
            service_account: "web".into(),
        };
        let expand = |name: &str, text: &str| Names { pod: Some(&pod(name)) }.expanded(text);
        assert_eq!(
            expand("web-1", "a/${POD_NAME}/${SERVICE_ACCOUNT_NAME}-$${POD_UID}"),
            Ok("a/web-1/web-${POD_UID}".to_owned())
        );
        assert_eq!(expand("web-1", "$5 {x} $"), Ok("$5 {x} $".to_owned()));
        for wrong in ["${POD}", "${POD_NAME", "${}"] {
            assert_eq!(expand("web-1", wrong), Err(FieldError::Variable), "{wrong}");
        }
        for injected in ["..", ".", "", "a/b", "a?x", "a b", "${POD_UID}", "a\nb"] {
            assert_eq!(expand(injected, "x${POD_NAME}"), Err(FieldError::PodFact), "{injected}");
        }
    }
}
