//! The parameters of one request.

use std::sync::LazyLock;
use std::time::Duration;

use crate::class::attributes::Attributes;
use crate::class::defaults::{Defaults, UnknownFields};
use crate::class::diagnostics::{Diagnostics, SpecError};
use crate::class::duration::duration;
use crate::class::other_words;
use crate::class::parameter_table::{
    FILE_PERMISSION, GROUP, LOGIN, MAX_STALE, OWNER, PARAMETERS, Parameter, REFRESH, SHARE_SCOPE, WRITER,
};
use crate::class::schema::{Access, keyword};
use crate::spec::{Flavor, LoginScope, ShareScope, VolumeWriter};

/// Who writes the files, who shares the logins, and how old responses may be.
pub(crate) struct VolumeParameters {
    pub(crate) written_by: VolumeWriter,
    pub(crate) login: LoginScope,
    pub(crate) share: ShareScope,
    /// The class's own `refresh`.
    pub(crate) refresh: Option<Duration>,
    /// `refresh` of a class without its own.
    pub(crate) default_refresh: Duration,
    pub(crate) max_stale: Duration,
}

/// The parameters of one request.
pub(crate) struct Parameters<'a> {
    attributes: &'a Attributes,
    flavor: Flavor,
}

impl<'a> Parameters<'a> {
    pub(crate) fn new(attributes: &'a Attributes, defaults: &Defaults) -> Self {
        Self { attributes, flavor: defaults.flavor }
    }

    /// The name and the value of `parameter`, under the first prefix that is present. The value may be empty.
    pub(crate) fn get(&self, parameter: Parameter) -> Option<(String, &'a str)> {
        if !parameter.prefixed {
            let value = self.attributes.get(parameter.name)?;
            return Some((parameter.name.to_owned(), value));
        }
        let (name, value) = self
            .flavor
            .prefixes()
            .iter()
            .find_map(|prefix| self.attributes.prefixed(prefix, parameter.name))?;
        Some((name.to_owned(), value))
    }

    /// The name and the value of `parameter`; `None` if the first one that is present is empty: then the process's own setting counts.
    pub(crate) fn non_empty(&self, parameter: Parameter) -> Option<(String, &'a str)> {
        self.get(parameter).filter(|(_, value)| !value.is_empty())
    }

    /// Who writes the files, who shares the logins, and how old responses may be. `maxStale` is limited to that of `defaults`.
    pub(crate) fn volume(&self, defaults: &Defaults, found: &mut Diagnostics) -> VolumeParameters {
        let limit = defaults.max_stale;
        let written_by =
            self.parse(WRITER, "driver or provider", keyword, found).unwrap_or(defaults.written_by);
        let refresh = self.parse(REFRESH, "a duration, such as 30s, 5m or 0s", duration, found);
        let max_stale = self.parse(MAX_STALE, "a duration, such as 1h, 24h or 0s", duration, found);
        if max_stale.is_some_and(|max_stale| max_stale > limit) {
            found.warnings.push(format!(
                "parameter maxStale is more than --max-stale allows: vaultmount uses {} s",
                limit.as_secs()
            ));
        }
        VolumeParameters {
            written_by,
            login: self.parse(LOGIN, "shared, pod or transient", keyword, found).unwrap_or_default(),
            share: self.parse(SHARE_SCOPE, "pod or serviceAccount", keyword, found).unwrap_or_default(),
            refresh,
            default_refresh: defaults.refresh.unwrap_or(written_by.refresh()),
            max_stale: max_stale.map_or(limit, |max_stale| max_stale.min(limit)),
        }
    }

    /// Parses `parameter`; `None` if it is absent or empty, and after a problem. `expected` describes the valid values.
    fn parse<T>(
        &self,
        parameter: Parameter,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
        found: &mut Diagnostics,
    ) -> Option<T> {
        let (_, text) = self.non_empty(parameter)?;
        found.take(parse(text).ok_or(SpecError::Parameter { parameter: parameter.name, expected }))
    }

    /// Mode, owner and group of files without their own. `mode` is that of the request.
    pub(crate) fn access(&self, mode: u32, found: &mut Diagnostics) -> Access {
        let id = |text: &str| text.parse().ok().filter(|id| *id != u32::MAX);
        let owner = self.parse(OWNER, "a number, such as 1000", id, found);
        let group = self.parse(GROUP, "a number, such as 1000", id, found);
        let own = self.parse(
            FILE_PERMISSION,
            "a mode from 0 to 0777 in octal with a leading 0, such as 0400",
            permission,
            found,
        );
        Access { mode: own.filter(|mode| *mode != 0).unwrap_or(mode), owner, group }
    }

    /// Reports unknown parameters: as warnings or as problems.
    pub(crate) fn check_names(&self, unknown: UnknownFields, found: &mut Diagnostics) {
        for name in self.attributes.parameters().filter(|name| !KNOWN.iter().any(|known| known == name)) {
            let advice = other_words::for_parameter(name, self.flavor);
            let problem = SpecError::UnknownParameter { parameter: name.into(), advice };
            match unknown {
                UnknownFields::Warn => found.warnings.push(problem.to_string()),
                UnknownFields::Error => found.problem(problem),
            }
        }
    }
}

/// Parses octal after `0` or `0o`. A parameter is text: `440` would be a mistake for `0440`, and means 0670 as a decimal number.
fn permission(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("0o").or(text.strip_prefix('0'))?;
    let mode = if digits.is_empty() { Ok(0) } else { u32::from_str_radix(digits, 8) };
    mode.ok().filter(|mode| *mode <= 0o777)
}

/// Every name of every parameter.
static KNOWN: LazyLock<Vec<String>> =
    LazyLock::new(|| PARAMETERS.iter().flat_map(Parameter::names).collect());
