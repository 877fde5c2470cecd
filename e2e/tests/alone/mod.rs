//! Tests during which no other test runs in their cluster: they stop servers, or deploy a variant of the provider.

mod driver_1_6; // an outage of OpenBao with the driver's line 1.6: volumes that stay empty
mod no_secrets_in_logs; // no secret and no token in logs, events and records
mod own_writer; // the variant that writes the volumes itself
mod pod_events; // the variant that creates events on pods when their content changes
mod pod_watch; // the variant that watches pods
mod provider_restart; // the provider is killed or restarted, its socket is removed
mod token_request; // the variant that requests tokens from Kubernetes
mod without_rotation; // the driver sends no further request
