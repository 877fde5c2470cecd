//! The tests, by what they are about.

mod applications; // programs that read their files again
mod classes; // several classes, sockets and parameter prefixes
mod controller; // requests of the sync controller
mod disturbance; // the provider dies, its socket disappears
mod driver_1_6; // what only the driver's line 1.6 can get wrong: volumes that stay empty
mod engines; // KV v1, database, PKI, transit
mod files; // bytes, modes, names
mod login; // auth mounts, audiences, namespaces
mod overlays; // the overlays that the documentation shows
mod pod_events; // the variant that tells pods of new content
mod own_writer; // the variant that writes the volumes itself
mod pod_watch; // the variant that watches pods
mod privileges; // what the provider may do on the node and in Kubernetes
mod refusals; // what a pod's author reads when a mount fails
mod rotation; // new values reach files
mod scenario_a; // an external Vault and no sidecar
mod scenario_b; // certificates as users of Kubernetes, from an offline root
mod scenario_c; // an etcd and its client
mod scenario_d; // markers of ciphertext in files
mod silence; // what nobody may read in logs, events and records
mod sync; // Kubernetes Secrets made of files
mod token_request; // the variant that asks Kubernetes for tokens
mod tokens; // how long the tokens of mounts live
mod versions; // the driver's record of what is mounted
