use http::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tower_test::mock::{Handle, pair};

use super::*;

type Server = Handle<Request<Body>, Response<Body>>;
type Decided = Result<Vec<u8>, AgreeError>;

/// Answers one request, and tells what it was.
async fn answer(server: &mut Server, code: u16, body: Value) -> Method {
    let (request, send) = server.next_request().await.unwrap();
    let body = Body::from(body.to_string().into_bytes());
    send.send_response(Response::builder().status(code).body(body).unwrap());
    request.method().clone()
}

fn status(code: u16, reason: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": reason,
        "reason": reason, "code": code})
}

fn secret(version: &str, value: &str) -> Value {
    json!({"metadata": {"name": "s", "resourceVersion": version}, "data": {"value": value}})
}

/// Writes «mine» where nothing is there yet, or where what is there is old.
async fn mine(client: Client) -> Decided {
    let api: Api<Secret> = Api::namespaced(client, "n");
    agree(&api, "s", |data| {
        let value = data
            .entry("value".into())
            .or_insert_with(|| ByteString(b"mine".to_vec()));
        if value.0 == b"old" {
            *value = ByteString(b"mine".to_vec());
        }
        Ok(value.0.clone())
    })
    .await
}

async fn against(script: impl AsyncFnOnce(&mut Server)) -> Decided {
    let (service, mut server) = pair::<Request<Body>, Response<Body>>();
    let both = async {
        let client = Client::new(service, "n");
        tokio::join!(mine(client), script(&mut server)).0
    };
    tokio::time::timeout(std::time::Duration::from_secs(1), both)
        .await
        .expect("the script and the code do not fit")
}

#[tokio::test]
async fn who_comes_second_to_create_takes_what_the_first_wrote() {
    let decided = against(async |server: &mut Server| {
        assert_eq!(
            answer(server, 404, status(404, "NotFound")).await,
            Method::GET
        );
        assert_eq!(
            answer(server, 409, status(409, "AlreadyExists")).await,
            Method::POST
        );
        assert_eq!(
            answer(server, 200, secret("1", "dGhlaXJz")).await,
            Method::GET
        );
    })
    .await;
    assert_eq!(decided.unwrap(), b"theirs");
}

#[tokio::test]
async fn who_comes_second_to_replace_takes_what_the_first_wrote() {
    let decided = against(async |server: &mut Server| {
        assert_eq!(answer(server, 200, secret("1", "b2xk")).await, Method::GET);
        assert_eq!(
            answer(server, 409, status(409, "Conflict")).await,
            Method::PUT
        );
        assert_eq!(
            answer(server, 200, secret("2", "dGhlaXJz")).await,
            Method::GET
        );
    })
    .await;
    assert_eq!(decided.unwrap(), b"theirs");
}

#[tokio::test]
async fn endless_conflicts_and_refusals_are_errors_that_name_the_object() {
    let contended = against(async |server: &mut Server| {
        for _ in 0..TRIES {
            answer(server, 404, status(404, "NotFound")).await;
            answer(server, 409, status(409, "AlreadyExists")).await;
        }
    })
    .await;
    assert!(matches!(contended, Err(AgreeError::Contended(name)) if name == "s"));
    let forbidden = against(async |server: &mut Server| {
        answer(server, 403, status(403, "Forbidden")).await;
    })
    .await;
    assert!(
        forbidden
            .unwrap_err()
            .to_string()
            .contains("read or write s")
    );
}
