//! One guard with a record for each key: through axum, and what it costs in memory.

use std::{
    task::{Context, Waker},
    time::Duration,
};

use axum::{Router, body::Body, extract::MatchedPath, http::StatusCode, routing::get};
use buttress::{
    BreakerLayer, BreakerState, Buttress, ByHeader, ByHost, GuardLayer, Http, Key, KeyOf, Outcome,
    Plain, Policy, Refusal,
};
use http::{HeaderName, Request};
use tower::{BoxError, Layer as _, Service, ServiceExt as _, service_fn};

fn by_route(request: &Request<Body>) -> Key<'_> {
    let path = request.extensions().get::<MatchedPath>();
    path.map(MatchedPath::as_str).into()
}

async fn ask(app: &Router, path: &str) -> http::Response<Body> {
    let request = Request::builder().uri(path).body(Body::empty()).unwrap();
    app.clone().oneshot(request).await.unwrap()
}

#[tokio::test]
async fn one_guard_for_a_router_refuses_the_sick_route_alone() {
    let layer = GuardLayer::new("shop", Http).by(by_route);
    let app = Router::new()
        .route("/pay/{id}", get(async || StatusCode::INTERNAL_SERVER_ERROR))
        .route("/orders/{id}", get(async || "well"))
        .layer(layer.clone());
    for id in 0..20 {
        let _ = ask(&app, &format!("/pay/{id}")).await;
        assert_eq!(
            ask(&app, &format!("/orders/{id}")).await.status(),
            StatusCode::OK
        );
    }
    let refused = ask(&app, "/pay/7").await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.extensions().get::<Refusal>().is_some());
    let names: Vec<String> = layer.handles().all().iter().map(|one| one.name()).collect();
    assert_eq!(names, ["shop//pay/{id}", "shop//orders/{id}"]);
    let state = |route: &str| layer.handles().find(route).unwrap().state();
    assert_eq!(state("/pay/{id}"), BreakerState::Open);
    assert_eq!(state("/orders/{id}"), BreakerState::Closed);
}

/// Those that a client calls, by the key under which they are known.
async fn known<K: KeyOf<Request<Body>> + Clone>(key: K, requests: &[(&str, &str)]) -> Vec<String> {
    let layer = BreakerLayer::new("web", Http).by_key(key);
    let mut client = layer.layer(service_fn(async |_: Request<Body>| {
        Ok::<_, std::io::Error>(http::Response::new(Body::empty()))
    }));
    for (uri, tenant) in requests {
        let request = Request::builder().uri(*uri).header("x-tenant", *tenant);
        client
            .call(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
    }
    layer.handles().all().iter().map(|one| one.name()).collect()
}

#[tokio::test]
async fn a_client_is_guarded_by_host_or_by_header() {
    let requests = [
        ("http://a.example/1", "seven"),
        ("http://A.example/2", "eight"),
        ("http://b.example:81/", "seven"),
    ];
    assert_eq!(
        known(ByHost, &requests).await,
        ["web/a.example", "web/b.example:81"]
    );
    let by_tenant = ByHeader::from(HeaderName::from_static("x-tenant"));
    assert_eq!(
        known(by_tenant, &requests).await,
        ["web/seven", "web/eight"]
    );
}

type Ask = for<'a> fn(&'a String) -> Key<'a>;

#[expect(clippy::ptr_arg, reason = "the request is a String")]
const fn itself(key: &String) -> Key<'_> {
    Key::caseless(key.as_str())
}

#[tokio::test]
async fn a_known_key_is_found_without_allocating() {
    let timed = Policy::new().deadline(Duration::from_secs(1));
    let root = Buttress::new().policy("web", timed);
    let layer = root.guard("web", Plain).unwrap().by(itself as Ask);
    let mut service = layer.layer(service_fn(|_: String| {
        std::future::ready(Ok::<_, BoxError>(()))
    }));
    let long = "host.".repeat(1_000);
    for _ in 0..3 {
        service.call(long.clone()).await.unwrap();
    }
    let requests: Vec<String> = (0..100).map(|_| long.clone()).collect();
    let cx = &mut Context::from_waker(Waker::noop());
    let mut answered = 0;
    let counted = allocation_counter::measure(|| {
        for request in requests {
            let call = std::pin::pin!(service.call(request));
            answered += u32::from(call.poll(cx).is_ready());
        }
    });
    assert_eq!((answered, counted.count_total), (100, 0));
}

/// Bytes that each of a thousand keys keeps.
fn each(keep: impl FnOnce()) -> i64 {
    allocation_counter::measure(keep).bytes_current / 1_000
}

#[test]
fn a_key_takes_less_than_a_kibibyte_before_its_first_call_and_little_after() {
    let layer = || GuardLayer::new("db", Plain).by(|tenant: &u64| Key::from(*tenant));
    let of = layer();
    drop(
        of.layer(service_fn(async |_: u64| Ok::<_, BoxError>(())))
            .call(0),
    );
    let destination = of.handles().all()[0].vitals().destination();
    let mut born = Vec::with_capacity(1_000);
    let before =
        each(|| born.extend((0..1_000).map(|key| destination.key(format!("tenant-{key}")))));
    let mut service = layer().layer(service_fn(|_: u64| {
        std::future::ready(Ok::<_, BoxError>(()))
    }));
    let cx = &mut Context::from_waker(Waker::noop());
    let after = each(|| {
        for tenant in 0..1_000 {
            assert!(std::pin::pin!(service.call(tenant)).poll(cx).is_ready());
        }
    });
    println!("bytes per key: {before} before its first call, {after} after");
    assert!(before <= 1_024, "{before}");
    assert!(after <= 6 * 1_024, "{after}");
}

#[test]
fn made_up_keys_of_any_length_take_no_more_memory_than_there_is_room_for() {
    let layer = GuardLayer::new("db", Plain).by(itself as Ask).at_most(100);
    let service = layer.layer(service_fn(async |_: String| Ok::<_, BoxError>(())));
    let flood = |from: u32| {
        for key in from..from + 2_000 {
            drop(service.clone().call(format!("{}{key}", "x".repeat(10_000))));
        }
    };
    flood(0);
    let counted = allocation_counter::measure(|| flood(2_000));
    assert!(
        counted.bytes_current < 64 * 1_024,
        "{}",
        counted.bytes_current
    );
    assert_eq!(layer.handles().all().len(), 100);
    let forgotten = layer.handles().snapshot()[0].forgotten_keys;
    assert_eq!(forgotten, Some(3_900));
}

#[test]
fn an_outage_is_data_for_machines_and_a_sentence_for_people() {
    let handle = BreakerLayer::new("db", Plain).handle();
    let fail = |cause| {
        if let Ok(attempt) = handle.admit() {
            attempt.finish(Outcome::Failure(cause));
        }
    };
    (0..20).for_each(|_| fail(buttress::Cause::Timeout));
    assert!(
        handle.snapshot().episodes.is_empty(),
        "a breaker alone keeps no book"
    );

    let handle = GuardLayer::new("db", Plain).handle();
    while let Ok(attempt) = handle.admit() {
        attempt.finish(Outcome::Failure(buttress::Cause::Timeout));
    }
    handle.reset();
    let shot = handle.snapshot();
    let text = shot.episodes[0].to_string();
    assert!(
        text.starts_with("db was down 0.00 s, from 20") && text.contains(" UTC: broke "),
        "{text}"
    );
    assert!(text.contains(" timeouts); endpoint db: hang, "), "{text}");
    let data = serde_json::to_value(&shot.episodes[0]).unwrap();
    assert_eq!(data["policy"], "db");
    assert_eq!(data["endpoint"], serde_json::Value::Null);
    assert_eq!(data["causes"]["timeout"], shot.counts.failures.total());
    assert_eq!(data["recovery"]["probes"], 0);
    assert_eq!(data["verdict"]["kind"], "hang");
    let began = data["began"].as_str().unwrap();
    assert!(began.len() == 24 && began.ends_with('Z'), "{began}");
}
