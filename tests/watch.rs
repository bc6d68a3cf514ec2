//! gRPC health while draining.

use std::time::Duration;

use buttress::Buttress;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use tower::ServiceExt as _;

#[tokio::test(start_paused = true)]
async fn a_watch_ends_when_the_process_drains_whatever_it_said_before() {
    let mut open = Vec::new();
    for (ready, name, withdrawn) in [
        (true, "a.B", false),
        (true, "", false),
        (false, "", false),
        (true, "a.B", true),
        (true, "x.Unknown", false),
    ] {
        let serving = Buttress::new().serving([]).unwrap();
        serving.ready_while("cache", move || ready);
        serving.offer("a.B");
        if withdrawn {
            serving.withdraw("a.B");
        }
        let size = name.len() as u8;
        let asked = [&[0, 0, 0, 0, size + 2, 10, size], name.as_bytes()].concat();
        let request = Request::post("/grpc.health.v1.Health/Watch")
            .body(Full::<Bytes>::from(asked))
            .unwrap();
        let mut body = serving.grpc().oneshot(request).await.unwrap().into_body();
        body.frame().await.unwrap().unwrap();
        serving.drain();
        let rest = async { while body.frame().await.is_some() {} };
        if tokio::time::timeout(Duration::from_secs(3600), rest)
            .await
            .is_err()
        {
            open.push((ready, name, withdrawn));
        }
    }
    assert!(
        open.is_empty(),
        "an hour later these are still open: {open:?}"
    );
}
