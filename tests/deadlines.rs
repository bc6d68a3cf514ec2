//! Deadlines across real axum servers and hyper clients on loopback.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, http::HeaderMap, http::StatusCode, routing::any};
use buttress::{
    Buttress, CLOCK, Call, DEADLINE_HEADER, Dispatch, GuardLayer, HealthPolicy, Http, Policy,
    Redundancy, Refusal, current_call, fixed,
};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::net::TcpListener;
use tower::ServiceExt as _;

type Hyper = Client<HttpConnector, Full<Bytes>>;

fn hyper() -> Hyper {
    Client::builder(TokioExecutor::new()).build_http()
}

async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}/")
}

fn request(method: Method, uri: &str, call: Call) -> Request<Full<Bytes>> {
    let body = Full::new(Bytes::from_static(b"payload"));
    let request = Request::builder().method(method).uri(uri).extension(call);
    request.body(body).unwrap()
}

/// A client of one server, whose requests name the whole address.
fn client(root: &Buttress) -> Dispatch<Hyper, Http> {
    let hyper = hyper();
    let sets = fixed(["server"]).unwrap();
    root.dispatch("client", Http, sets, move |_| hyper.clone())
        .unwrap()
}

fn millis(headers: &HeaderMap) -> Option<u64> {
    let value = headers.get(DEADLINE_HEADER)?;
    value.to_str().unwrap().parse().ok()
}

/// What its requests said of their deadlines, in milliseconds.
type Said = Arc<Mutex<Vec<Option<u64>>>>;

/// A server that answers with `status`.
async fn noting(status: StatusCode) -> (String, Said) {
    let said = Said::default();
    let noted = Arc::clone(&said);
    let handler = move |headers: HeaderMap| {
        noted.lock().unwrap().push(millis(&headers));
        async move { status }
    };
    (serve(Router::new().route("/", any(handler))).await, said)
}

fn seconds(seconds: u64) -> Policy {
    Policy::new().deadline(Duration::from_secs(seconds))
}

#[tokio::test]
async fn a_deadline_crosses_two_servers_that_know_nothing_of_it() {
    let (last, said) = noting(StatusCode::OK).await;
    let root = Buttress::new()
        .policy("client", seconds(20))
        .policy("server", seconds(20));
    let onward = client(&root);
    let in_between = Said::default();
    let seen = Arc::clone(&in_between);
    let handler = move || {
        let (onward, last, seen) = (onward.clone(), last.clone(), Arc::clone(&seen));
        async move {
            let left = current_call().deadline.map(|at| at.since(CLOCK.now()));
            let left = left.map(|left| left.as_millis() as u64);
            seen.lock().unwrap().push(left);
            let request = request(Method::GET, &last, Call::new());
            onward.oneshot(request).await.unwrap().status()
        }
    };
    let server = root.guard("server", Http).unwrap();
    let first = serve(Router::new().route("/", any(handler)).layer(server)).await;

    let browser = client(&Buttress::new().policy("client", seconds(5)));
    let answer = browser.oneshot(request(Method::GET, &first, Call::new()));
    assert_eq!(answer.await.unwrap().status(), StatusCode::OK);
    let left = in_between.lock().unwrap()[0].unwrap();
    let told = said.lock().unwrap()[0].unwrap();
    assert!(
        0 < told && told <= left + 1 && left < 5_000,
        "{left} {told}"
    );
}

#[tokio::test]
async fn each_attempt_is_told_how_long_it_is_waited_for_and_only_if_that_may_be_told() {
    let again = seconds(9).redundancy(Redundancy::failover(3));
    for (policy, most) in [
        (again, Some(3_000)),
        (again.tell_deadline(false), None),
        (Policy::new(), None),
    ] {
        let (server, said) = noting(StatusCode::BAD_GATEWAY).await;
        let root = Buttress::new().policy("client", policy);
        let failed = client(&root).oneshot(request(Method::GET, &server, Call::new()));
        assert_eq!(failed.await.unwrap().status(), StatusCode::BAD_GATEWAY);
        for said in said.lock().unwrap().iter() {
            assert_eq!(said.is_some(), most.is_some());
            assert!(*said <= most, "{said:?}");
        }
    }
}

#[tokio::test]
async fn a_header_can_only_tighten_and_nonsense_in_it_is_nothing() {
    let (server, said) = noting(StatusCode::OK).await;
    let root = Buttress::new().policy("client", seconds(5));
    for (header, most) in [
        ("200", 200),
        ("600000", 5_000),
        ("soon", 5_000),
        ("0", 5_000),
    ] {
        let mut request = request(Method::GET, &server, Call::new());
        let value = header.parse().unwrap();
        request.headers_mut().insert(DEADLINE_HEADER, value);
        assert_eq!(client(&root).oneshot(request).await.unwrap().status(), 200);
        let told = said.lock().unwrap().pop().unwrap().unwrap();
        assert!(told <= most, "{header}: {told}");
    }
}

#[tokio::test]
async fn a_server_gives_up_with_its_caller_and_its_handler_is_not_blamed() {
    let layer = GuardLayer::with_policy("server", Http, &seconds(60)).unwrap();
    let hung = any(std::future::pending::<StatusCode>);
    let server = serve(Router::new().route("/", hung).layer(layer.clone())).await;
    let mut request = request(Method::GET, &server, Call::new());
    let value = "20".parse().unwrap();
    request.headers_mut().insert(DEADLINE_HEADER, value);
    let answer = hyper().request(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT);
    let counts = layer.handle().snapshot().counts;
    assert_eq!((counts.failures.total(), counts.cancelled), (0, 1));
    assert_eq!(
        layer
            .handle()
            .vitals()
            .destination()
            .calls()
            .counts()
            .overdue,
        1
    );
}

#[tokio::test]
async fn what_is_expired_is_answered_here_and_never_sent() {
    let (server, said) = noting(StatusCode::OK).await;
    let root = Buttress::new().policy("client", seconds(5));
    let past = Call::new().deadline(CLOCK.now());
    let refused: Response<_> = client(&root)
        .oneshot(request(Method::GET, &server, past))
        .await
        .unwrap();
    assert_eq!(refused.status(), StatusCode::GATEWAY_TIMEOUT);
    let not_begun = Refusal::Deadline {
        after: Duration::ZERO,
    };
    assert_eq!(refused.extensions().get(), Some(&not_begun));
    assert!(said.lock().unwrap().is_empty());
    assert_eq!(root.registry().calls("client").counts().expired, 1);
}

#[tokio::test]
async fn a_request_can_forbid_its_retry_and_vouch_for_being_sent_twice() {
    let policy = seconds(5)
        .redundancy(Redundancy::failover(3))
        .health(HealthPolicy::consecutive(1_000));
    for (method, call, times) in [
        (Method::GET, Call::new(), 3),
        (Method::GET, Call::new().no_retry(), 1),
        (Method::POST, Call::new(), 1),
        (Method::POST, Call::new().idempotent(), 3),
        (Method::POST, Call::new().idempotent().no_retry(), 1),
    ] {
        let (server, said) = noting(StatusCode::INTERNAL_SERVER_ERROR).await;
        let root = Buttress::new().policy("client", policy);
        let failed = client(&root).oneshot(request(method.clone(), &server, call));
        assert_eq!(failed.await.unwrap().status(), 500);
        assert_eq!(said.lock().unwrap().len(), times, "{method} {call:?}");
    }
}
