//! The kubelet's request, remembered for requests that lack a part of it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Flavor;

/// The parameters of a volume's last request, and which of them the pod itself sets.
///
/// The rotation of driver 1.5 sends only the class's parameters, and a background poll has no request at all: both use this. `Debug` prints
/// no parameter, because a class may contain passwords.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RememberedRequest {
    /// The class's parameters, overridden by the pod's.
    #[serde(rename = "parameters")]
    pub(crate) parameters: BTreeMap<String, String>,
    /// The parameters of the pod's volume. `None` until a request without them shows which those are.
    #[serde(rename = "own")]
    pub(crate) own: Option<BTreeMap<String, String>>,
    /// Name of the class, if the kubelet sent the request.
    #[serde(default, rename = "class")]
    pub(crate) class: Option<String>,
    /// The request's own file mode.
    #[serde(default, rename = "mode")]
    mode: u32,
    /// The flavor of the socket that the request came over.
    #[serde(default, rename = "flavor")]
    flavor: Flavor,
}

impl RememberedRequest {
    /// A request that names its class, so that its parameters include the pod's.
    pub(crate) fn new(parameters: BTreeMap<String, String>, class: Option<String>) -> Self {
        Self { parameters, class, ..Self::default() }
    }

    /// Sets what a request contains besides its parameters.
    pub(crate) fn with(self, mode: u32, flavor: Flavor) -> Self {
        Self { mode, flavor, ..self }
    }

    /// The flavor of the socket that the request came over.
    pub(crate) fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// The request's own file mode.
    pub(crate) fn mode(&self) -> u32 {
        self.mode
    }
}

impl fmt::Debug for RememberedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RememberedRequest({} parameters)", self.parameters.len())
    }
}
