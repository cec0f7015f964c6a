//! POST /v1/tokens.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use futures::future::try_join_all;
use kube2hadoop_client::contract::{TokenRequest, TokenResponse};
use kube2hadoop_client::credentials::Credentials;
use kube2hadoop_runtime::body::{self, BodyError};
use kube2hadoop_runtime::listen::Peer;
use tokio::time::timeout;

use super::asker::{Asker, attend};
use super::problem::Answer;
use super::request_id::RequestId;
use super::{MAX_REQUEST_BYTES, Service};
use crate::attest::Grant;
use crate::bearer::BearerToken;
use crate::chain;
use crate::clock::timestamp;
use crate::events::Notice;
use crate::issue::Issued;
use crate::ledger::Key;
use crate::metrics::{OutcomeLabel, ServiceLabel};
use crate::service::ServiceName;

/// A body is a few hundred bytes, sent with its head.
const BODY_LIMIT: Duration = Duration::from_secs(5);

pub(super) async fn handle(State(service): State<Arc<Service>>, request: Request) -> Response {
    let id = RequestId::of(&request);
    let asker = Asker::default();
    let work = serve(&service, &id, &asker, request);
    attend(&service, &id, &asker, work, Answer::into_response).await
}

async fn serve(
    service: &Service,
    id: &RequestId,
    asker: &Asker,
    request: Request,
) -> Result<Response, Answer> {
    let (head, body) = request.into_parts();
    let from = head.extensions.get::<Peer>().map(|peer| peer.0);
    let token = BearerToken::from_headers(&head.headers)?;
    // Before there is a turn: whoever sends slowly takes nobody's.
    let asked = read_body(&head.headers, body).await?;
    let _turn = service.turns.take().await.ok_or_else(Answer::overloaded)?;
    if let Some(problem) = service.guarded.problem() {
        return Err(Answer::guard_missing(&problem));
    }
    let grant = asker.attested(service.attestor.attest(&token, from).await)?;
    hand_out(service, id, grant, asked).await
}

async fn read_body(headers: &HeaderMap, body: Body) -> Result<Option<Vec<ServiceName>>, Answer> {
    let declared = headers
        .get(axum::http::header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok());
    if declared
        .and_then(|text| text.parse::<usize>().ok())
        .is_some_and(|length| length > MAX_REQUEST_BYTES)
    {
        return Err(Answer::too_large(MAX_REQUEST_BYTES));
    }
    let bytes = timeout(BODY_LIMIT, body::read(body, MAX_REQUEST_BYTES))
        .await
        .map_err(|_| Answer::slow_body(BODY_LIMIT))?
        .map_err(unread)?;
    let request: TokenRequest = serde_json::from_slice(&bytes).map_err(|error| {
        Answer::invalid_request(format!("the body is not {{\"services\": […]}}: {error}"))
    })?;
    let parse = |names: Vec<String>| names.iter().map(|name| name.parse()).collect();
    request
        .services
        .map(parse)
        .transpose()
        .map_err(|error: crate::service::InvalidServiceName| {
            Answer::invalid_request(error.to_string())
        })
}

fn unread(error: BodyError) -> Answer {
    match error {
        BodyError::TooLong => Answer::too_large(MAX_REQUEST_BYTES),
        BodyError::Broken(_) => Answer::invalid_request(chain::text(&error)),
    }
}

async fn hand_out(
    service: &Service,
    id: &RequestId,
    grant: &Grant,
    asked: Option<Vec<ServiceName>>,
) -> Result<Response, Answer> {
    let (chosen, held) = hold(service, grant, asked).await?;
    let response = respond(service, grant, &held)?;
    settle(service, id, grant, &chosen, &held);
    Ok(response)
}

/// The tokens of each service that the pod may have and asked for, in that order.
pub(super) async fn hold(
    service: &Service,
    grant: &Grant,
    asked: Option<Vec<ServiceName>>,
) -> Result<(BTreeSet<ServiceName>, Vec<Arc<Issued>>), Answer> {
    let chosen = choose(service.issuer.services(), grant.services.as_ref(), asked)?;
    let issues = chosen.iter().map(|name| {
        let key = Key {
            job: grant.job.clone(),
            user: grant.user.clone(),
            service: name.clone(),
        };
        async move { service.ledger.tokens(&key).await }
    });
    let held = try_join_all(issues)
        .await
        .map_err(|failure| Answer::from(&failure))?;
    service
        .metrics
        .ledger_keys
        .set(i64::try_from(service.ledger.len()).unwrap_or(i64::MAX));
    Ok((chosen, held))
}

/// Audit and Event, once the answer is made.
pub(super) fn settle(
    service: &Service,
    id: &RequestId,
    grant: &Grant,
    chosen: &BTreeSet<ServiceName>,
    held: &[Arc<Issued>],
) {
    for (name, issued) in chosen.iter().zip(held) {
        let label = ServiceLabel::of(name);
        service.metrics.handed_out.get_or_create(&label).inc();
        service
            .audit
            .issued(id.as_str(), grant, name, issued.sequence_number);
    }
    announce(service, grant, chosen);
}

/// What is asked for, else what the pod's annotation names, else all; never more than either allows.
fn choose(
    configured: &[ServiceName],
    annotated: Option<&BTreeSet<ServiceName>>,
    asked: Option<Vec<ServiceName>>,
) -> Result<BTreeSet<ServiceName>, Answer> {
    let chosen: BTreeSet<_> = match (asked, annotated) {
        (Some(asked), _) => asked.into_iter().collect(),
        (None, Some(annotated)) => annotated.clone(),
        (None, None) => configured.iter().cloned().collect(),
    };
    if chosen.is_empty() {
        return Err(Answer::invalid_request(
            "no service is asked for; name at least one, or leave services out",
        ));
    }
    if let Some(unknown) = chosen.iter().find(|name| !configured.contains(name)) {
        let known: Vec<_> = configured.iter().map(ServiceName::as_str).collect();
        return Err(Answer::unknown_service(unknown.as_str(), &known.join(", ")));
    }
    let outside = |name: &&ServiceName| annotated.is_some_and(|allowed| !allowed.contains(*name));
    if let Some(name) = chosen.iter().find(outside) {
        return Err(Answer::service_not_granted(name.as_str()));
    }
    Ok(chosen)
}

/// The credentials file's content.
pub(super) fn credentials(held: &[Arc<Issued>]) -> Result<Credentials, Answer> {
    let mut credentials = Credentials::new();
    for (alias, token) in held.iter().flat_map(|issued| &issued.tokens) {
        credentials
            .add(alias.clone(), token.clone())
            .map_err(|error| Answer::internal(error.to_string()))?;
    }
    Ok(credentials)
}

fn respond(service: &Service, grant: &Grant, held: &[Arc<Issued>]) -> Result<Response, Answer> {
    // A cluster without a KMS issues nothing there, and nothing of it expires. Where that is all that was asked for, its
    // dates say how long it is believed.
    let nothing = held.iter().all(|issued| issued.tokens.is_empty());
    let lives = || {
        held.iter()
            .filter(|issued| nothing || !issued.tokens.is_empty())
    };
    let expires = lives()
        .map(|issued| service.ledger.good_until(issued))
        .min()
        .unwrap_or_default();
    let refresh = lives()
        .map(|issued| service.ledger.refresh_at(issued))
        .min()
        .unwrap_or_default();
    let body = TokenResponse {
        credentials: credentials(held)?.to_bytes(),
        conf: service.conf.clone(),
        user: grant.user.to_string(),
        expires_at: timestamp(expires),
        refresh_at: timestamp(refresh),
        ca: service.bundle.told(),
    };
    let json = serde_json::to_vec(&body).map_err(|error| Answer::internal(error.to_string()))?;
    let mut response = Response::new(Body::from(json));
    response
        .extensions_mut()
        .insert(OutcomeLabel { outcome: "issued" });
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn announce(service: &Service, grant: &Grant, chosen: &BTreeSet<ServiceName>) {
    let names: Vec<_> = chosen.iter().map(ServiceName::as_str).collect();
    service.events.record(Notice {
        pod: grant.pod.clone(),
        warning: false,
        reason: "TokenIssued".into(),
        message: format!(
            "Hadoop tokens of user {} for {}",
            grant.user,
            names.join(", ")
        ),
    });
}
