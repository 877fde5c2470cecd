//! The tests, by what they are about.

mod alone; // tests that disturb the whole cluster
mod applications; // programs that read their files again
mod classes; // several classes, sockets and parameter prefixes
mod controller; // requests of the sync controller
mod driver_1_6; // what only the driver's line 1.6 does
mod engines; // KV v1, database, PKI, transit
mod files; // bytes, modes, names
mod login; // auth mounts, audiences, namespaces
mod overlays; // the overlays that the documentation shows
mod privileges; // what the provider may do on the node and in Kubernetes
mod mount_errors; // the event that a pod's author reads when a mount fails
mod rotation; // new values reach files
mod scenario_a; // an external Vault and no sidecar
mod scenario_b; // certificates as users of Kubernetes, from an offline root
mod scenario_c; // an etcd and its client
mod scenario_d; // markers of ciphertext in files
mod sync; // Kubernetes Secrets synced from files
mod tokens; // the lifetime of the mounts' tokens
mod versions; // the driver's record of what is mounted
