//! `GET /getDelegationToken`, for pods that still run the init container of linkedin/kube2hadoop.
//!
//! In: `pod-name`, `namespace`, `token-kinds`; others are ignored. Out: `{"Token": base64 of the credentials file}`, or
//! `{"ErrorCode": …, "Message": …}`, in which that script must not find the word «Token».

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Method};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube2hadoop_client::secret::SecretBytes;
use kube2hadoop_runtime::listen::Peer;
use serde::Serialize;
use zeroize::Zeroizing;

use super::asker::{Asker, attend};
use super::problem::Answer;
use super::request_id::RequestId;
use super::tokens::{credentials, hold, settle};
use super::{Service, account};
use crate::attest::PodName;
use crate::metrics::OutcomeLabel;

/// What the script asks, whatever the host.
pub(crate) const PATH: &str = "/getDelegationToken";
const KIND: &str = "HDFS_DELEGATION_TOKEN";

/// Legacy mode's whole service. It is for a listener of its own: the script knows no TLS.
pub(crate) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route(PATH, get(handle).fallback(only_get))
        .fallback(only_get)
        .layer(from_fn_with_state(Arc::clone(&service), account))
        .with_state(service)
}

#[derive(Serialize)]
struct Answered<'a> {
    #[serde(rename = "Token")]
    token: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Failed<'a> {
    error_code: &'a str,
    message: String,
}

async fn only_get(request: Request) -> Response {
    let answer = Answer::invalid_request(format!("there is only GET {PATH} here"));
    respond_failed(answer, &RequestId::of(&request))
}

async fn handle(State(service): State<Arc<Service>>, request: Request) -> Response {
    let id = RequestId::of(&request);
    let from = request.extensions().get::<Peer>().map(|peer| peer.0);
    let asker = Asker::default();
    let work = serve(&service, &id, &asker, asked(&request), from);
    attend(&service, &id, &asker, work, respond_failed).await
}

async fn serve(
    service: &Service,
    id: &RequestId,
    asker: &Asker,
    pod: Result<PodName, Answer>,
    from: Option<IpAddr>,
) -> Result<Response, Answer> {
    let _turn = service.turns.take().await.ok_or_else(Answer::overloaded)?;
    if let Some(problem) = service.guarded.problem() {
        return Err(Answer::guard_missing(&problem));
    }
    let attested = service.attestor.attest_by_address(&pod?, from).await;
    let grant = asker.attested(attested)?;
    let (chosen, held) = hold(service, grant, None).await?;
    let response = respond(&credentials(&held)?.to_bytes())?;
    settle(service, id, grant, &chosen, &held);
    Ok(response)
}

/// The pod that the request names; the kinds of token that it wants must be those there are.
fn asked(request: &Request) -> Result<PodName, Answer> {
    if request.method() != Method::GET {
        return Err(Answer::invalid_request("use GET"));
    }
    let Query(parameters): Query<Vec<(String, String)>> = Query::try_from_uri(request.uri())
        .map_err(|error| Answer::invalid_request(error.to_string()))?;
    let of = |name: &'static str| {
        let named = parameters.iter().filter(move |(key, _)| key == name);
        named.map(|(_, value)| value.as_str())
    };
    if let Some(kind) = of("token-kinds")
        .flat_map(|kinds| kinds.split(','))
        .find(|kind| *kind != KIND)
    {
        let kind: String = kind.chars().take(64).collect();
        let detail = format!("token-kinds names {kind}; there is only {KIND}");
        return Err(Answer::invalid_request(detail));
    }
    let single = |name| {
        let mut values = of(name);
        values.next().filter(|_| values.next().is_none())
    };
    let (namespace, name) = (single("namespace"), single("pod-name"));
    PodName::parse(namespace.unwrap_or_default(), name.unwrap_or_default())
        .map_err(|error| Answer::invalid_request(error.to_string()))
}

fn respond(file: &SecretBytes) -> Result<Response, Answer> {
    let token = Zeroizing::new(STANDARD.encode(file.expose()));
    let body = serde_json::to_vec(&Answered { token: &token })
        .map_err(|error| Answer::internal(error.to_string()))?;
    let mut response = json(body);
    let issued = OutcomeLabel { outcome: "issued" };
    response.extensions_mut().insert(issued);
    Ok(response)
}

fn respond_failed(answer: Answer, id: &RequestId) -> Response {
    let failed = Failed {
        error_code: answer.reason,
        // The script takes any answer with this word for a success.
        message: format!("{} (request {})", answer.detail, id.as_str()).replace("Token", "token"),
    };
    let body = serde_json::to_vec(&failed).unwrap_or_default();
    let status = answer.status();
    let outcome = OutcomeLabel {
        outcome: answer.reason,
    };
    let mut response = json(body);
    *response.status_mut() = status;
    response.extensions_mut().insert(outcome);
    response
}

fn json(body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
