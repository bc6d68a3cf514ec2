//! Where nothing fails.

use buttress::{At, Cause, Endpoint, GuardLayer, Http};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use tower::{Layer as _, ServiceExt as _};

use crate::support::{Version, client, in_turn, request, well};

#[tokio::test]
async fn every_answer_of_either_version_is_counted_once_and_for_what_it_is() {
    for version in [Version::One, Version::Two] {
        let base = well().await;
        let layer = GuardLayer::new("work", Http);
        let guard = layer.layer(At::new(&Endpoint::new(base).unwrap(), client(version)));
        for (method, path, status, body) in [
            (Method::GET, "/", 200, "ok"),
            (Method::HEAD, "/", 200, ""),
            (Method::POST, "/", 200, "ok"),
            (Method::GET, "/empty", 204, ""),
            (Method::GET, "/parts", 200, "ok"),
            (Method::GET, "/nowhere", 404, ""),
            (Method::GET, "/sick", 502, ""),
        ] {
            let asked = request(method, path);
            let answer = guard.clone().oneshot(asked).await.unwrap();
            assert_eq!(answer.status().as_u16(), status, "{version:?} {path}");
            let read = answer.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(read, body, "{version:?} {path}");
        }
        let counts = layer.handle().snapshot().counts;
        assert_eq!(
            (
                counts.successes,
                counts.caller_faults,
                counts.failures.of(Cause::Error),
                counts.finished(),
                counts.in_flight()
            ),
            (5, 1, 1, 7, 0),
            "{version:?}"
        );
    }
}

#[tokio::test]
async fn replicas_share_one_client() {
    for version in [Version::One, Version::Two] {
        let client = client(version);
        let (_, work) = in_turn(&well().await, &well().await, move |_| client.clone());
        for path in ["/", "/parts", "http://logical/"] {
            let answer = work.clone().oneshot(request(Method::GET, path)).await;
            let answer = answer.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            let read = answer.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(read, "ok");
        }
    }
}
