//! What our containers may use, without changing what the pod is to its node.
//!
//! The kernel halts whoever has used up its share of the processor, and to start any container takes more than a small
//! share gives: with a limit of 100m a pod starts up to 0.3 s later. So the limit is a whole core where the pod's
//! quality of service lets it.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::written::Written;
use super::{INIT_CONTAINER, REFRESH_CONTAINER};
use crate::pod::{Container, Spec};
use crate::review::Entries;

/// Kubernetes quantities of a container of ours.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resources {
    /// What it requests.
    pub cpu: String,
    /// What it requests, and its limit.
    pub memory: String,
    /// Of pods that are not Guaranteed: theirs must request what they may use at most.
    #[serde(default = "core")]
    pub cpu_limit: String,
}

fn core() -> String {
    "1".into()
}

impl Resources {
    pub(super) fn little(cpu: &str) -> Self {
        Self {
            cpu: cpu.into(),
            memory: "16Mi".into(),
            cpu_limit: core(),
        }
    }

    /// The API server refuses a pod that requests more than its limit.
    pub fn limit_is_too_low(&self) -> bool {
        let [request, limit] = [&self.cpu, &self.cpu_limit].map(|cpu| millicores(cpu));
        request.zip(limit).is_some_and(|(cpu, limit)| cpu > limit)
    }

    /// For pods that are not Guaranteed.
    pub(super) fn burstable(&self) -> Written {
        Written::of(&json!({
            "requests": {"cpu": self.cpu, "memory": self.memory},
            "limits": {"cpu": self.cpu_limit, "memory": self.memory},
        }))
    }
}

/// Requests and limits.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Bounds<'a> {
    Burstable(&'a Written),
    Guaranteed {
        requests: Amounts<'a>,
        limits: Amounts<'a>,
    },
}

#[derive(Clone, Copy, Serialize)]
pub(super) struct Amounts<'a> {
    cpu: &'a str,
    memory: &'a str,
}

impl<'a> Bounds<'a> {
    /// Of the init container: a Guaranteed pod may give it as much as its largest container, which runs later only.
    pub(super) fn before_all(
        spec: &'a Spec<'_>,
        resources: &'a Resources,
        burstable: &'a Written,
    ) -> Option<Self> {
        let cpu = || largest_cpu(spec, &resources.cpu);
        Self::of(spec, resources, burstable, cpu)
    }

    /// Of the sidecar, which runs beside all others.
    pub(super) fn beside_all(
        spec: &Spec<'_>,
        resources: &'a Resources,
        burstable: &'a Written,
    ) -> Option<Self> {
        Self::of(spec, resources, burstable, || &resources.cpu)
    }

    /// None where the pod is bound as a whole: a container's own bounds could only go beyond the pod's.
    fn of(
        spec: &Spec<'_>,
        resources: &'a Resources,
        burstable: &'a Written,
        guaranteed_cpu: impl FnOnce() -> &'a str,
    ) -> Option<Self> {
        if spec.resources.is_some() {
            return None;
        }
        if !is_guaranteed(spec) {
            return Some(Self::Burstable(burstable));
        }
        let amounts = Amounts {
            cpu: guaranteed_cpu(),
            memory: &resources.memory,
        };
        Some(Self::Guaranteed {
            requests: amounts,
            limits: amounts,
        })
    }
}

/// Whether every container requests exactly what it may use at most (k8s.io/kubernetes, pkg/apis/core/v1/helper/qos).
fn is_guaranteed(spec: &Spec<'_>) -> bool {
    let ours = |name: &str| [INIT_CONTAINER, REFRESH_CONTAINER].contains(&name);
    let mut others = super::containers::all(spec).filter(|container| !ours(&container.name));
    others.all(|container| {
        ["cpu", "memory"].iter().all(|resource| {
            let limit = limit(container, resource);
            limit.is_some() && limit == amount(requests(container), resource).or(limit)
        })
    })
}

fn largest_cpu<'a>(spec: &'a Spec<'_>, least: &'a str) -> &'a str {
    let limits = spec
        .containers
        .iter()
        .filter_map(|container| limit(container, "cpu"));
    limits.fold(least, |most, cpu| {
        if millicores(cpu) > millicores(most) {
            cpu
        } else {
            most
        }
    })
}

fn limit<'a>(container: &'a Container<'_>, resource: &str) -> Option<&'a str> {
    amount(container.resources.as_ref()?.limits.as_ref(), resource)
}

fn requests<'a, 'b>(container: &'a Container<'b>) -> Option<&'a Entries<'b>> {
    container.resources.as_ref()?.requests.as_ref()
}

fn amount<'a>(amounts: Option<&'a Entries<'_>>, resource: &str) -> Option<&'a str> {
    amounts?.get(resource)
}

/// Of `2`, `0.5` or `500m`, as nearly everybody writes it; none of the notations that are left.
fn millicores(cpu: &str) -> Option<u64> {
    match cpu.strip_suffix('m') {
        Some(millicores) => millicores.parse().ok(),
        None => {
            let cores: f64 = cpu.parse().ok()?;
            (0.0..1e6)
                .contains(&cores)
                .then_some((cores * 1000.0) as u64)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn bounds(spec: &Value) -> Option<Value> {
        let spec = spec.to_string();
        let spec: Spec<'_> = serde_json::from_str(&spec).unwrap();
        let resources = Resources::little("100m");
        let burstable = resources.burstable();
        let bounds = Bounds::before_all(&spec, &resources, &burstable)?;
        Some(serde_json::to_value(bounds).unwrap())
    }

    fn container(requests: &Value, limits: &Value) -> Value {
        json!({"name": "c", "resources": {"requests": requests, "limits": limits}})
    }

    fn alike(cpu: &str) -> Value {
        let amounts = json!({"cpu": cpu, "memory": "1Gi"});
        container(&amounts, &amounts)
    }

    #[test]
    fn a_guaranteed_pod_stays_so_and_lends_its_largest_share() {
        for (containers, cpu) in [
            (json!([alike("50m")]), "100m"),
            (json!([alike("500m"), alike("2"), alike("1500m")]), "2"),
            (json!([alike("1k")]), "100m"),
        ] {
            let amounts = json!({"cpu": cpu, "memory": "16Mi"});
            let expected = json!({"requests": amounts, "limits": amounts});
            assert_eq!(bounds(&json!({"containers": containers})), Some(expected));
        }
    }

    #[test]
    fn any_other_pod_may_use_a_core_to_start() {
        let (one, two) = (
            json!({"cpu": "1", "memory": "1Gi"}),
            json!({"cpu": "2", "memory": "1Gi"}),
        );
        let memory = json!({"memory": "1Gi"});
        for spec in [
            json!({"containers": [{"name": "c"}]}),
            json!({"containers": [container(&one, &two)]}),
            json!({"containers": [container(&memory, &memory)]}),
            json!({"containers": [alike("1")], "initContainers": [{"name": "setup"}]}),
        ] {
            let expected = json!({
                "requests": {"cpu": "100m", "memory": "16Mi"},
                "limits": {"cpu": "1", "memory": "16Mi"},
            });
            assert_eq!(bounds(&spec), Some(expected), "{spec}");
        }
    }

    #[test]
    fn what_only_has_limits_requests_them() {
        let limits = json!({"cpu": "1", "memory": "1Gi"});
        let only = json!({"name": "c", "resources": {"limits": limits}});
        let found = bounds(&json!({"containers": [only]})).unwrap();
        assert_eq!(found["requests"], found["limits"]);
    }

    #[test]
    fn a_pod_that_is_bound_as_a_whole_bounds_us_too() {
        let spec = json!({"containers": [{"name": "c"}], "resources": {"limits": {"cpu": "500m"}}});
        assert_eq!(bounds(&spec), None);
    }

    #[test]
    fn a_limit_below_the_request_is_found() {
        for (cpu, limit, too_low) in [
            ("100m", "1", false),
            ("2", "1", true),
            ("1.5", "1500m", false),
            ("1", "999m", true),
            ("x", "1", false),
        ] {
            let resources = Resources {
                cpu_limit: limit.into(),
                ..Resources::little(cpu)
            };
            assert_eq!(resources.limit_is_too_low(), too_low, "{cpu} {limit}");
        }
    }
}
