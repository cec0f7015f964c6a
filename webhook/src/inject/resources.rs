//! What our containers may use, without changing what the pod is to its node and its namespace.
//!
//! The kernel halts whoever has used up its share of the processor, and to start any container takes more than a small
//! share gives: with a limit of 100m a pod starts up to 0.3 s later. So the limit is a core, or what the pod's own
//! containers have where that is less: more than theirs a namespace's LimitRange or ResourceQuota might refuse.

use serde::{Deserialize, Serialize};

use super::OUR_CONTAINERS;
use super::containers::all;
use super::quantity::{is_quantity, is_whole};
use crate::pod::{Container, Spec};

/// Kubernetes quantities of a container of ours.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resources {
    /// What it requests.
    pub cpu: String,
    /// What it requests, and its limit.
    pub memory: String,
    /// The most that it may use to start.
    #[serde(default = "core")]
    pub cpu_limit: String,
}

fn core() -> String {
    "1".into()
}

impl Resources {
    pub(super) fn new(cpu: &str, cpu_limit: &str) -> Self {
        Self {
            cpu: cpu.into(),
            memory: "16Mi".into(),
            cpu_limit: cpu_limit.into(),
        }
    }

    /// The first amount that the API server takes in no pod, by its key.
    pub fn malformed(&self) -> Option<(&'static str, &str)> {
        let amounts = [
            ("cpu", &self.cpu, is_quantity(&self.cpu)),
            ("cpuLimit", &self.cpu_limit, is_quantity(&self.cpu_limit)),
            ("memory", &self.memory, is_whole(&self.memory)),
        ];
        let mut wrong = amounts.into_iter().filter(|(.., taken)| !taken);
        wrong.next().map(|(key, amount, _)| (key, &**amount))
    }

    /// The API server refuses a pod that requests more than its limit.
    pub fn limit_is_too_low(&self) -> bool {
        is_less(&self.cpu_limit, &self.cpu)
    }

    /// The limit, between what is requested and what may be used, that the pod's largest container has as well.
    fn share<'a>(&'a self, spec: &'a Spec<'_>) -> &'a str {
        let limits = spec.containers.iter().filter_map(|it| limit(it, "cpu"));
        let largest = limits.reduce(|most, cpu| if is_less(most, cpu) { cpu } else { most });
        match largest {
            Some(cpu) if is_less(cpu, &self.cpu) => &self.cpu,
            Some(cpu) if is_less(cpu, &self.cpu_limit) => cpu,
            _ => &self.cpu_limit,
        }
    }
}

/// Requests and limits.
#[derive(Serialize)]
pub(super) struct Bounds<'a> {
    requests: Amounts<'a>,
    limits: Amounts<'a>,
}

#[derive(Clone, Copy, Serialize)]
struct Amounts<'a> {
    cpu: &'a str,
    memory: &'a str,
}

impl<'a> Bounds<'a> {
    /// Of the init container. A Guaranteed pod must request its limit, which costs it nothing: its largest container,
    /// which runs later only, requests as much.
    pub(super) fn before_all(spec: &'a Spec<'_>, resources: &'a Resources) -> Option<Self> {
        let share = resources.share(spec);
        Self::of(spec, resources, share, share)
    }

    /// Of the sidecar, which runs beside all others.
    pub(super) fn beside_all(spec: &'a Spec<'_>, resources: &'a Resources) -> Option<Self> {
        Self::of(spec, resources, &resources.cpu, resources.share(spec))
    }

    /// None where only the pod is bound as a whole: a container's own bounds could go beyond the pod's. Where its
    /// containers have limits as well, a LimitRange may ask for them.
    fn of(
        spec: &Spec<'_>,
        resources: &'a Resources,
        guaranteed: &'a str,
        share: &'a str,
    ) -> Option<Self> {
        let limited = || spec.containers.iter().any(|it| limit(it, "cpu").is_some());
        if spec.resources.is_some() && !limited() {
            return None;
        }
        let (request, limit) = match is_guaranteed(spec) {
            true => (guaranteed, guaranteed),
            false => (&*resources.cpu, share),
        };
        let amounts = |cpu| Amounts {
            cpu,
            memory: &resources.memory,
        };
        Some(Self {
            requests: amounts(request),
            limits: amounts(limit),
        })
    }
}

/// Whether every container requests exactly what it may use at most (k8s.io/kubernetes, pkg/apis/core/v1/helper/qos).
fn is_guaranteed(spec: &Spec<'_>) -> bool {
    let mut others = all(spec).filter(|container| !OUR_CONTAINERS.contains(&&*container.name));
    others.all(|container| {
        ["cpu", "memory"].iter().all(|resource| {
            let limit = limit(container, resource);
            limit.is_some() && limit == request(container, resource).or(limit)
        })
    })
}

fn limit<'a>(container: &'a Container<'_>, resource: &str) -> Option<&'a str> {
    container.resources.as_ref()?.limits.as_ref()?.get(resource)
}

fn request<'a>(container: &'a Container<'_>, resource: &str) -> Option<&'a str> {
    container
        .resources
        .as_ref()?
        .requests
        .as_ref()?
        .get(resource)
}

/// False where either is written in a notation that we do not read.
fn is_less(cpu: &str, other: &str) -> bool {
    let [cpu, other] = [cpu, other].map(millicores);
    cpu.zip(other).is_some_and(|(cpu, other)| cpu < other)
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
        let resources = Resources::new("100m", "1");
        let bounds = Bounds::before_all(&spec, &resources)?;
        Some(serde_json::to_value(bounds).unwrap())
    }

    fn expected(request: &str, limit: &str) -> Option<Value> {
        let [requests, limits] = [request, limit].map(|cpu| json!({"cpu": cpu, "memory": "16Mi"}));
        Some(json!({"requests": requests, "limits": limits}))
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
            (json!([alike("200m"), alike("0.5"), alike("300m")]), "0.5"),
            (json!([alike("500m"), alike("64")]), "1"),
            (json!([alike("1k")]), "1"),
        ] {
            let found = bounds(&json!({"containers": containers}));
            assert_eq!(found, expected(cpu, cpu), "{containers}");
        }
        let limits = json!({"cpu": "500m", "memory": "1Gi"});
        let only = json!({"name": "c", "resources": {"limits": limits}});
        let found = bounds(&json!({"containers": [only]}));
        assert_eq!(found, expected("500m", "500m"));
    }

    #[test]
    fn any_other_pod_may_use_a_core_to_start_unless_its_own_containers_may_not() {
        let limited = |limit: &str| {
            let requests = json!({"cpu": "50m", "memory": "1Gi"});
            container(&requests, &json!({"cpu": limit, "memory": "1Gi"}))
        };
        let memory = json!({"memory": "1Gi"});
        for (spec, limit) in [
            (json!({"containers": [{"name": "c"}]}), "1"),
            (json!({"containers": [container(&memory, &memory)]}), "1"),
            (json!({"containers": [limited("2")]}), "1"),
            (
                json!({"containers": [limited("200m"), limited("500m")]}),
                "500m",
            ),
            (json!({"containers": [limited("60m")]}), "100m"),
            (
                json!({"containers": [alike("2")], "initContainers": [{"name": "setup"}]}),
                "1",
            ),
        ] {
            assert_eq!(bounds(&spec), expected("100m", limit), "{spec}");
        }
    }

    #[test]
    fn a_pod_that_is_bound_as_a_whole_bounds_us_too() {
        let spec = json!({"containers": [{"name": "c"}], "resources": {"limits": {"cpu": "500m"}}});
        assert_eq!(bounds(&spec), None);
        let requests = json!({"cpu": "50m", "memory": "1Gi"});
        let limits = json!({"cpu": "200m", "memory": "1Gi"});
        let spec = json!({"containers": [container(&requests, &limits)], "resources": {"limits": {"cpu": "500m"}}});
        assert_eq!(bounds(&spec), expected("100m", "200m"));
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
            let resources = Resources::new(cpu, limit);
            assert_eq!(resources.limit_is_too_low(), too_low, "{cpu} {limit}");
        }
    }
}
