//! Labels and annotations, all under one prefix.

/// What all our keys begin with.
pub const PREFIX: &str = "kube2hadoop.io/";
/// Label of namespace, pod and pod template: `enabled` or `disabled`; a pod's own wins.
pub const INJECT_LABEL: &str = "kube2hadoop.io/inject";
/// Annotation: the Hadoop user asked for, where it is not the submitter's own.
pub const RUN_AS: &str = "kube2hadoop.io/run-as";
/// Annotation: a comma separated subset of the configured Hadoop services.
pub const SERVICES: &str = "kube2hadoop.io/services";
/// Annotation: the only containers that see the token, comma separated.
pub const CONTAINERS: &str = "kube2hadoop.io/containers";
/// Annotation: `enabled` keeps the file fresh past the token's maximum life.
pub const REFRESH: &str = "kube2hadoop.io/refresh";
/// Annotation, ours: the effective Hadoop user.
pub const USER: &str = "kube2hadoop.io/user";
/// Annotation, ours: the Kubernetes user name behind it.
pub const SUBMITTER: &str = "kube2hadoop.io/submitter";
/// Annotation, ours: the signed claims.
pub const STAMP: &str = "kube2hadoop.io/stamp";
/// Label, ours: `"true"` on a stamped pod. By it the fetcher finds the pods whose tokens live.
pub const INJECTED_LABEL: &str = "kube2hadoop.io/injected";
/// Annotation, ours: why nothing was injected.
pub const SKIPPED: &str = "kube2hadoop.io/skipped";
/// Label of namespaces, `enabled`: linkedin/kube2hadoop's, which legacy mode answers to.
pub const LEGACY_LABEL: &str = "iddecorator";
/// Annotation, ours where legacy mode is on: the effective Hadoop user, as linkedin/kube2hadoop's webhook wrote it.
pub const LEGACY_USER: &str = "iddecorator.username";
/// The audience of the projected service account token.
pub const AUDIENCE: &str = "kube2hadoop";
/// What no request may bring: removed before anything is decided.
pub const OWN_KEYS: [&str; 5] = [USER, SUBMITTER, STAMP, INJECTED_LABEL, SKIPPED];
