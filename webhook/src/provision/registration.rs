//! The caBundle of our MutatingWebhookConfiguration: written by us, and healed when somebody changes it.

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch as JsonPatch, PatchOperation, TestOperation};
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::AgreeError;

/// Makes every entry trust exactly this bundle.
pub(super) async fn register(
    api: &Api<MutatingWebhookConfiguration>,
    name: &str,
    bundle: &str,
) -> Result<(), AgreeError> {
    let failed = |source| AgreeError::Api {
        name: name.to_owned(),
        source,
    };
    let configuration = api.get(name).await.map_err(failed)?;
    let patch = patch(&configuration, &ByteString(bundle.as_bytes().to_vec()));
    if !patch.0.is_empty() {
        api.patch(name, &PatchParams::default(), &Patch::Json::<()>(patch))
            .await
            .map_err(failed)?;
        tracing::info!(configuration = name, "caBundle written");
    }
    Ok(())
}

/// What differs. Each entry is tested by its name first: another writer may have moved it meanwhile.
fn patch(configuration: &MutatingWebhookConfiguration, bundle: &ByteString) -> JsonPatch {
    let mut operations = Vec::new();
    for (at, webhook) in configuration.webhooks.iter().flatten().enumerate() {
        if webhook.client_config.ca_bundle.as_ref() == Some(bundle) {
            continue;
        }
        let at = at.to_string();
        let path = |rest: &[&str]| {
            PointerBuf::from_tokens(["webhooks", &at].into_iter().chain(rest.iter().copied()))
        };
        operations.push(PatchOperation::Test(TestOperation {
            path: path(&["name"]),
            value: json!(webhook.name),
        }));
        operations.push(PatchOperation::Add(AddOperation {
            path: path(&["clientConfig", "caBundle"]),
            value: json!(bundle),
        }));
    }
    JsonPatch(operations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_written() {
        let bundle = ByteString(b"pem".to_vec());
        let mut configuration: MutatingWebhookConfiguration = serde_json::from_value(json!({
            "metadata": {"name": "x"},
            "webhooks": [
                {"name": "a", "admissionReviewVersions": [], "sideEffects": "None", "clientConfig": {"caBundle": "cGVt"}},
                {"name": "b", "admissionReviewVersions": [], "sideEffects": "None", "clientConfig": {}},
            ],
        }))
        .unwrap();
        let wanted = json!([
            {"op": "test", "path": "/webhooks/1/name", "value": "b"},
            {"op": "add", "path": "/webhooks/1/clientConfig/caBundle", "value": "cGVt"},
        ]);
        assert_eq!(
            serde_json::to_value(patch(&configuration, &bundle)).unwrap(),
            wanted
        );
        for webhook in configuration.webhooks.iter_mut().flatten() {
            webhook.client_config.ca_bundle = Some(bundle.clone());
        }
        assert!(patch(&configuration, &bundle).0.is_empty());
    }
}
