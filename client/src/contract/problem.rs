//! Why there is no token: application/problem+json (RFC 9457).

use serde::{Deserialize, Serialize};

/// The media type of a [`Problem`] (RFC 9457).
pub const PROBLEM_CONTENT_TYPE: &str = "application/problem+json";

/// Why no token was given, in the form of RFC 9457.
///
/// The type is text here, so that a client understands a fetcher that is newer than itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Stable: see [`ProblemType`].
    #[serde(rename = "type")]
    pub problem_type: String,
    /// The same for every problem of one type.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time and what to do about it; shown to the pod's owner. Never holds a secret.
    #[serde(default)]
    pub detail: String,
    /// Whether the same request may succeed later without anybody changing anything.
    #[serde(default)]
    pub retryable: bool,
    /// Finds the request in the fetcher's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Problem {
    /// A problem of this type; `detail` is for the owner of the pod, and holds no secret.
    pub fn new(problem_type: ProblemType, detail: impl Into<String>) -> Self {
        Self {
            problem_type: problem_type.uri().to_owned(),
            title: problem_type.title().to_owned(),
            status: problem_type.status(),
            detail: detail.into(),
            retryable: problem_type.retryable(),
            request_id: None,
        }
    }

    /// Names the request, as the log of the fetcher does.
    #[must_use]
    pub fn with_request_id(mut self, id: impl Into<String>) -> Self {
        self.request_id = Some(id.into());
        self
    }

    /// The last word of the type, for a message: `stamp-clock`.
    pub fn name(&self) -> &str {
        self.problem_type
            .rsplit([':', '/'])
            .next()
            .unwrap_or_default()
    }
}

macro_rules! problem_types {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:literal, $retry:ident, $title:literal;)*) => {
        /// Every problem that a fetcher reports, with its one status, title and whether to retry.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ProblemType { $($(#[$doc])* $variant,)* }

        impl ProblemType {
            /// Every type, in the order of its definition.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The `type` member.
            pub const fn uri(self) -> &'static str {
                match self { $(Self::$variant => concat!("urn:kube2hadoop:problem:", $name),)* }
            }

            /// The short name: a bounded value for a metric's label.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The `title` member: one for each type.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// The HTTP status of the answer.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// Whether the same request may succeed later without anybody changing anything.
            pub const fn retryable(self) -> bool {
                match self { $(Self::$variant => problem_types!(@$retry),)* }
            }
        }
    };
    (@retry) => { true };
    (@final) => { false };
}

problem_types! {
    /// The body or a header cannot be read.
    InvalidRequest = "invalid-request", 400, final, "The request cannot be read";
    /// A service was asked for that the fetcher is not configured for.
    UnknownService = "unknown-service", 400, final, "The service is not configured";
    /// No bearer token, or one that the API server does not accept for our audience.
    Unauthenticated = "unauthenticated", 401, final, "The service account token is not accepted";
    /// The token is not that of the pod it names: uid, node or phase do not fit.
    PodMismatch = "pod-mismatch", 403, final, "The pod is not the one the token was made for";
    /// The API server does not show the pod, or its node, yet: moments after it was made.
    PodNotVisible = "pod-not-visible", 503, retry, "The pod is not known yet";
    /// The pod's own annotation leaves the service out, or cannot be read.
    ServiceNotGranted = "service-not-granted", 403, final, "The pod's services annotation does not allow it";
    /// Windows and mirror pods.
    UnsupportedPod = "unsupported-pod", 403, final, "Pods of this kind get no token";
    /// The pod was not stamped by the webhook.
    NotStamped = "not-stamped", 403, final, "The pod carries no stamp";
    /// The stamp is forged, altered, or another pod's.
    StampInvalid = "stamp-invalid", 403, final, "The stamp does not fit the pod";
    /// Stamp and pod differ only in time: the clocks of webhook and API server disagree.
    StampClock = "stamp-clock", 403, final, "The stamp's time does not fit the pod's";
    /// The stamp's key is not known (yet): keys are published moments after they are made.
    StampKeyUnknown = "stamp-key-unknown", 503, retry, "The stamp's key is not known here";
    /// The namespace is excluded by the configuration.
    NamespaceExcluded = "namespace-excluded", 403, final, "The namespace gets no tokens";
    /// The effective user is on the deny list.
    UserDenied = "user-denied", 403, final, "The user gets no tokens";
    /// A guard that attestation relies on is missing.
    GuardMissing = "guard-missing", 503, retry, "A guard of the cluster is missing";
    /// Hadoop refuses: most often the right to impersonate is missing.
    HadoopRefused = "hadoop-refused", 403, final, "Hadoop refuses to issue the token";
    /// NameNode, KMS or KDC cannot be reached, or are not ready.
    HadoopUnavailable = "hadoop-unavailable", 503, retry, "Hadoop is not available";
    /// The API server cannot be asked.
    KubernetesUnavailable = "kubernetes-unavailable", 503, retry, "The Kubernetes API is not available";
    /// The body is longer than a fetcher reads.
    BodyTooLarge = "body-too-large", 413, final, "The body is too large";
    /// The head of a request came, and its body did not.
    RequestTimeout = "request-timeout", 408, retry, "The request did not come in time";
    /// The path is there, for another method.
    MethodNotAllowed = "method-not-allowed", 405, final, "The method is not allowed";
    /// Too many requests at once.
    Overloaded = "overloaded", 429, retry, "Too many requests";
    /// The fetcher is shutting down; another replica will answer.
    ShuttingDown = "shutting-down", 503, retry, "The fetcher is shutting down";
    /// No such path.
    NotFound = "not-found", 404, final, "There is nothing at this path";
    /// Something that should not happen.
    Internal = "internal", 500, retry, "The fetcher failed";
}
