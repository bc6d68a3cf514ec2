//! What stands in for a real axum server that fails.

use axum::{Router, body::Body, extract::Path, http::StatusCode, routing::get};
use buttress::{
    BreakerState, Buttress, FallbackLayer, GuardLayer, GuardedBody, HealthPolicy, Http, Policy,
    instead,
};
use http::{Request, Response, header::RETRY_AFTER};
use http_body_util::BodyExt as _;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::net::TcpListener;
use tower::ServiceBuilder;

type Page = Response<GuardedBody<Body>>;

async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}

async fn ask(uri: String) -> (StatusCode, String) {
    let client = Client::builder(TokioExecutor::new()).build_http::<String>();
    let answer = client.get(uri.parse().unwrap()).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.into()).unwrap())
}

/// Answers with the status that its path names.
fn app() -> Router {
    let status = |Path(status): Path<u16>| async move {
        (StatusCode::from_u16(status).unwrap(), "the server's own")
    };
    Router::new().route("/{status}", get(status))
}

#[tokio::test]
async fn a_page_stands_in_for_failures_and_refusals_and_the_callers_faults_stay() {
    let policy = Policy::new().health(HealthPolicy::consecutive(2));
    let root = Buttress::new().policy("pages", policy);
    let guard = root.guard("pages", Http).unwrap();
    let path = |request: &Request<Body>| request.uri().path().to_owned();
    let cached = instead::keyed(path, |path, _| {
        (path != "/501").then(|| Page::new(format!("cached {path}").into()))
    });
    let fallback = root.fallback("pages", Http, cached).unwrap();
    let layers = ServiceBuilder::new().layer(fallback).layer(guard.clone());
    let base = serve(app().layer(layers)).await;

    let own = "the server's own";
    for (path, status, text) in [
        ("/200", 200, own),
        ("/404", 404, own),
        ("/501", 501, own),
        ("/200", 200, own),
        ("/500", 200, "cached /500"),
        ("/502", 200, "cached /502"),
        // Its breaker is open by now.
        ("/200", 200, "cached /200"),
    ] {
        let answer = ask(format!("{base}{path}")).await;
        assert_eq!(answer, (StatusCode::from_u16(status).unwrap(), text.into()));
    }
    let (refused, words) = ask(format!("{base}/501")).await;
    assert_eq!(refused, StatusCode::SERVICE_UNAVAILABLE);
    assert!(words.contains(r#""detail":"circuit open"#), "{words}");

    let snapshot = guard.handle().snapshot();
    assert_eq!(
        (snapshot.state, snapshot.counts.successes),
        (BreakerState::Open, 2)
    );
    assert_eq!(root.registry().calls("pages").counts().degraded, 3);
}

#[tokio::test]
async fn a_page_that_says_503_is_taken_at_its_word() {
    let sorry = instead::with(|_| {
        let mut page = Page::new("back soon".into());
        *page.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        page.headers_mut().insert(RETRY_AFTER, 60.into());
        Some(page)
    });
    let fallback = FallbackLayer::new(Http, sorry);
    let calls = fallback.calls().clone();
    let layers = ServiceBuilder::new()
        .layer(fallback)
        .layer(GuardLayer::new("pages", Http));
    let base = serve(app().layer(layers)).await;
    let answer = ask(format!("{base}/500")).await;
    assert_eq!(
        answer,
        (StatusCode::SERVICE_UNAVAILABLE, "back soon".into())
    );
    assert_eq!(calls.counts().degraded, 1);
}

#[tokio::test]
async fn another_server_stands_in_and_is_asked_by_what_was_kept() {
    let standby = serve(Router::new().route("/{*path}", get(|| async { "standby" }))).await;
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let (main, failing) = (client.clone(), serve(app()).await);
    let service = ServiceBuilder::new()
        .layer(FallbackLayer::new(
            Http,
            instead::keyed_service(
                move |request: &Request<Body>| {
                    let uri = format!("{standby}{}", request.uri().path());
                    Request::get(uri).body(Body::empty()).unwrap()
                },
                client,
            ),
        ))
        .service(main);
    let request = Request::get(format!("{failing}/500")).body(Body::empty());
    let answer = tower::ServiceExt::oneshot(service, request.unwrap()).await;
    let body = answer.unwrap().into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "standby");
}
