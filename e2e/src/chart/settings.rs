//! What single values change in what the chart renders.

use anyhow::{Result, ensure};

use super::Form;
use super::rendered::manifest_with;

/// With these options of Helm, this template has this text.
struct Setting {
    form: Form,
    options: &'static [&'static str],
    template: &'static str,
    wanted: &'static str,
}

const SETTINGS: &[Setting] = &[
    Setting {
        form: Form::Inside,
        options: &["--set=image.registry=registry.example.com:5000/mirror"],
        template: "webhook-config",
        wanted: "image: registry.example.com:5000/mirror/kube2hadoop/client:0.1.0\n",
    },
    Setting {
        form: Form::Inside,
        options: &[
            "--set=image.fetcher=f@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ],
        template: "fetcher",
        wanted: "image: f@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
    },
    Setting {
        form: Form::Inside,
        options: &["--set=listenAddress=[::]"],
        template: "webhook-config",
        wanted: "listen: \"[::]:8443\"\n    admin: \"[::]:9990\"\n",
    },
    Setting {
        form: Form::Inside,
        options: &["--set=listenAddress=[::]"],
        template: "fetcher-config",
        wanted: "listen: \"[::]:8443\"\n    admin: \"[::]:9990\"\n",
    },
    Setting {
        form: Form::Inside,
        options: &["--set=listenAddress=[::]", "--set=legacy.enabled=true"],
        template: "fetcher-config",
        wanted: "legacy: {listen: \"[::]:9966\"}",
    },
    Setting {
        form: Form::Inside,
        options: &["--set=serviceMonitor.enabled=true,serviceMonitor.labels.release=prometheus"],
        template: "monitoring",
        wanted: "release: prometheus\nspec:\n  selector:\n",
    },
    Setting {
        form: Form::Inside,
        options: &["--set=dashboard.enabled=true"],
        template: "monitoring",
        wanted: "    grafana_dashboard: \"1\"\ndata:\n  kube2hadoop.json: \"{",
    },
    Setting {
        form: Form::Inside,
        options: &["--set=prometheusRule.enabled=true,prometheusRule.labels.release=prometheus"],
        template: "alerts",
        wanted: "release: prometheus\nspec:\n  groups:\n",
    },
    Setting {
        form: Form::Inside,
        options: &["--set=prometheusRule.enabled=true"],
        template: "alerts",
        wanted: "expr: absent(kube2hadoop_webhook_unanswered_total{namespace=\"kube2hadoop\"})\n",
    },
    Setting {
        form: Form::Inside,
        options: &["--set=networkPolicy.dnsPorts={53,5353}"],
        template: "networkpolicies",
        wanted: "- {port: 5353, protocol: UDP}\n        - {port: 5353, protocol: TCP}\n    - ports:\n        - {port: 443,",
    },
    Setting {
        form: Form::Inside,
        options: &["--set=fetcher.nodeSelector.pool=hadoop,fetcher.tolerations[0].operator=Exists"],
        template: "doctor",
        wanted: "nodeSelector: {\"pool\":\"hadoop\"}\n  tolerations: [{\"operator\":\"Exists\"}]\n",
    },
    Setting {
        form: Form::Inside,
        options: &["--set=hadoop.requireHttps=true"],
        template: "fetcher-config",
        wanted: "requireHttps: true\n",
    },
    Setting {
        form: Form::Inside,
        options: &["--set=fetcher.limits.waiting=4096,ledger.capacity=1000000"],
        template: "fetcher-config",
        wanted: "limits: {\"waiting\":4096}\n    ledger:\n      namespace: kube2hadoop-ledger\n      capacity: 1000000\n",
    },
    Setting {
        form: Form::Inside,
        options: &["--set=lifecycle.enabled=false"],
        template: "rbac",
        wanted: "resources: [pods], verbs: [get]}\n  - {apiGroups: [\"\"], resources: [events]",
    },
    Setting {
        form: Form::Outside,
        options: &["--set=fetcher.outside.user=fetcher@example.com"],
        template: "rbac",
        wanted: "{apiGroup: rbac.authorization.k8s.io, kind: User, name: \"fetcher@example.com\"}",
    },
];

/// Each of them.
pub(super) fn are_rendered() -> Result<()> {
    for Setting {
        form,
        options,
        template,
        wanted,
    } in SETTINGS
    {
        let rendered = manifest_with(*form, template, options)?;
        ensure!(
            rendered.contains(wanted),
            "with {options:?} {template} has no «{wanted}»:\n{rendered}"
        );
    }
    Ok(())
}
