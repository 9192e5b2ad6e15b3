//! Times as Kubernetes writes them.

use k8s_openapi::jiff::Timestamp;

/// A time to the second, in UTC.
pub fn written(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
