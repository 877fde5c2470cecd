//! Users of PostgreSQL, as pods have them.

use std::collections::BTreeSet;

use super::{Pod, enter};

/// The PostgreSQL user in a pod's volume.
pub(crate) struct User {
    pub(crate) name: String,
    address: String,
}

impl User {
    /// The user in the pod's volume of the class `db`.
    pub(crate) fn of(pod: &Pod) -> Self {
        let [name, password] = pod.together("db", ["user", "password"]);
        let address = format!("postgresql://{name}:{password}@10.99.0.1/postgres");
        Self { name, address }
    }

    /// Logs in to PostgreSQL; an error if PostgreSQL refuses.
    pub(crate) fn enters(&self) -> Result<(), String> {
        match enter(&["psql", &self.address, "-Atc", "SELECT current_user"])?.trim() {
            found if found == self.name => Ok(()),
            other => Err(format!("{} is let in as {other}", self.name)),
        }
    }

    /// An error while the user exists in PostgreSQL.
    pub(crate) fn is_gone(&self) -> Result<(), String> {
        if Self::all()?.contains(&self.name) { Err(format!("{} is there", self.name)) } else { Ok(()) }
    }

    /// The name of every user.
    pub(crate) fn all() -> Result<BTreeSet<String>, String> {
        let all = enter(&[
            "psql",
            "postgresql://postgres:postgres@10.99.0.1/postgres",
            "-Atc",
            "SELECT rolname FROM pg_roles",
        ])?;
        Ok(all.lines().map(str::to_owned).collect())
    }
}
