//! One volume, written by the driver and by us in turns, under a pod that reads all the time.

use serde_json::json;

use crate::support::{Class, Pod, Scenario, eventually};

/// Reads until it is told to stop; what it should not have found it writes down.
const READER: &str = r#"
while [ ! -e /dev/shm/stop ]; do
  value=$(cat /mnt/db/value 2>&1) || echo "unreadable: $value"
  case $value in value-[0-9]) ;; *) echo "odd: $value" ;; esac
  through=$(cat /mnt/db/..data/value 2>&1) || echo "unreadable through ..data: $through"
  sleep 0.02
done >/dev/shm/found 2>&1
"#;

/// A pod that runs all the time. Files that we write are its user's, those of the driver root's: so they tell who wrote them.
pub(super) struct Switched {
    scenario: Scenario,
    pod: Pod,
}

impl Switched {
    /// In the default deployment.
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

    /// By the flag alone, then by the class against the flag, then by the class.
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

    /// The class still asks for us, who have no right any more; then it asks for nobody.
    pub(super) fn is_the_drivers_again(&self) {
        self.changes_to("value-5", 0);
        class(&self.scenario, "at-last").apply();
        self.has_taken("at-last");
        self.changes_to("value-6", 0);
        self.pod.sh("touch /dev/shm/stop");
        assert_eq!(self.pod.sh("cat /dev/shm/found"), "", "what the reader should not have found");
        assert_eq!(self.pod.restarts(), 0);
    }

    /// The change of the class has reached the volume, whose names are those of the class.
    fn has_taken(&self, marker: &str) {
        let names = [format!("644 {marker}"), "644 value".into()];
        eventually(60, &format!("the file {marker}"), || match self.pod.files("db") {
            found if found == names => Ok(()),
            found => Err(format!("{found:?}")),
        });
        // The names follow `..data`, one after the other.
        eventually(60, &format!("the name {marker}"), || match self.pod.try_sh("ls /mnt/db")? {
            shown if shown.lines().eq([marker, "value"]) => Ok(()),
            shown => Err(shown),
        });
    }

    /// A changed value reaches the file, which is then written by whom it belongs to. The driver's connection backs off over a restart.
    fn changes_to(&self, value: &str, owner: u32) {
        self.scenario.put("db", json!({ "value": value }));
        self.pod.comes_to_read("db/value", value, 150);
        assert_eq!(self.pod.sh("stat -L -c %u /mnt/db/value"), format!("{owner}\n"), "who wrote {value}");
    }
}

/// The value in `value`, and in a file that tells which class the volume is of.
fn class(scenario: &Scenario, marker: &str) -> Class {
    let file = |name: &str| {
        format!("- {{objectName: {name}, secretPath: {}, secretKey: value}}\n", scenario.path("db"))
    };
    scenario
        .class("db", &(file("value") + &file(marker)))
        .parameter("refresh", "2s")
        .parameter("owner", "1000")
}
