//! One volume, written by the driver and by vaultmount in turn, while a pod reads all the time.

use serde_json::json;

use crate::support::{Class, Pod, Scenario, eventually};

/// Reads until the stop file exists, and records every unexpected content.
const READER: &str = r#"
while [ ! -e /dev/shm/stop ]; do
  value=$(cat /mnt/db/value 2>&1) || echo "unreadable: $value"
  case $value in value-[0-9]) ;; *) echo "odd: $value" ;; esac
  through=$(cat /mnt/db/..data/value 2>&1) || echo "unreadable through ..data: $through"
  sleep 0.02
done >/dev/shm/found 2>&1
"#;

/// A pod that runs all the time. Files of vaultmount belong to its user and files of the driver to root, so the owner shows the writer.
pub(super) struct WriterChange {
    scenario: Scenario,
    pod: Pod,
}

impl WriterChange {
    /// Starts the pod in the default deployment.
    pub(super) fn begin(scenario: &Scenario) -> Self {
        let scenario = scenario.neighbour();
        scenario.put("db", json!({"value": "value-0"}));
        class(&scenario, "at-first").apply();
        let pod = scenario.pod("reader").user(1000).mounts("db").start();
        pod.sh(&format!("({READER}) </dev/null >/dev/null 2>&1 &"));
        Self { scenario, pod }
    }

    pub(super) fn is_written_by_the_driver(&self) {
        self.changes_to("value-1", 0);
    }

    /// The writer is chosen by the flag alone, then by the class against the flag, then by the class alone.
    pub(super) fn follows_its_class(&self) {
        self.changes_to("value-2", 1000);
        for (marker, writer, value, owner) in
            [("of-driver", "driver", "value-3", 0), ("of-provider", "provider", "value-4", 1000)]
        {
            class(&self.scenario, marker).parameter("writer", writer).apply();
            self.has_taken(marker);
            self.changes_to(value, owner);
        }
    }

    /// The class still chooses vaultmount, which has no rights any more. Then the class chooses no writer.
    pub(super) fn is_the_drivers_again(&self) {
        self.changes_to("value-5", 0);
        class(&self.scenario, "at-last").apply();
        self.has_taken("at-last");
        self.changes_to("value-6", 0);
        self.pod.sh("touch /dev/shm/stop");
        assert_eq!(self.pod.sh("cat /dev/shm/found"), "", "what the reader should not have found");
        assert_eq!(self.pod.restarts(), 0);
    }

    /// The change of the class has reached the volume, whose file names come from the class.
    fn has_taken(&self, marker: &str) {
        let names = [format!("644 {marker}"), "644 value".into()];
        eventually(60, &format!("the file {marker}"), || match self.pod.files("db") {
            found if found == names => Ok(()),
            found => Err(format!("{found:?}")),
        });
        // The links of the names are changed after `..data`, one after the other.
        eventually(60, &format!("the name {marker}"), || match self.pod.try_sh("ls /mnt/db")? {
            shown if shown.lines().eq([marker, "value"]) => Ok(()),
            shown => Err(shown),
        });
    }

    /// A changed value reaches the file, and the file's owner shows the writer. The driver's connection backs off over a restart.
    fn changes_to(&self, value: &str, owner: u32) {
        self.scenario.put("db", json!({ "value": value }));
        self.pod.comes_to_read("db/value", value, 150);
        assert_eq!(self.pod.sh("stat -L -c %u /mnt/db/value"), format!("{owner}\n"), "who wrote {value}");
    }
}

/// A class with the value in the file `value`, and in a file that is named after the version of the class.
fn class(scenario: &Scenario, marker: &str) -> Class {
    let file = |name: &str| {
        format!("- {{objectName: {name}, secretPath: {}, secretKey: value}}\n", scenario.path("db"))
    };
    scenario
        .class("db", &(file("value") + &file(marker)))
        .parameter("refresh", "2s")
        .parameter("owner", "1000")
}
