//! HTTP: a GET, which may be handled twice, and a POST without a key.

use std::{net::SocketAddr, time::Duration};

use buttress::{Buttress, Endpoint, Http, Policy, Redundancy, fixed};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{ServiceBuilder, ServiceExt as _};

use crate::{
    envoy::{self, CLUSTER, Envoy},
    fault::{
        ENHANCE_YOUR_CALM,
        Fault::{self, *},
        INTERNAL_ERROR, REFUSED_STREAM,
        Times::*,
    },
    row::{Row, cell},
    server::Servers,
};

const fn row(
    name: &'static str,
    (fault, times): (Fault, crate::fault::Times),
    seen: [&'static str; 4],
    why: &'static str,
) -> Row<4> {
    Row {
        name,
        fault,
        times,
        seen,
        why,
    }
}

/// GET: Envoy, buttress. POST: Envoy, buttress. The page has the notes.
#[rustfmt::skip]
const TABLE: [Row<4>; 24] = [
    row("connection refused", (Refused, Always), ["0, none", "0, none", "0, none", "0, none"], ""),
    row("connection refused by one", (Refused, Once), ["1, 200", "1, 200", "1, 200", "1, 200"], ""),
    row("reset before any answer", (Reset, Always), ["3, none", "3, none", "3, none", "1, none"], "1"),
    row("reset before any answer, once", (Reset, Once), ["2, 200", "2, 200", "2, 200", "1, none"], "1"),
    row("reset after the head", (ResetAfterHead, Always), ["1, cut", "1, cut", "1, cut", "1, cut"], ""),
    row("500", (Status(500, None), Always), ["3, 500", "3, 500", "3, 500", "1, 500"], "1"),
    row("500, once", (Status(500, None), Once), ["2, 200", "2, 200", "2, 200", "1, 500"], "1"),
    row("503", (Status(503, None), Always), ["3, 503", "3, 503", "3, 503", "1, 503"], "1"),
    row("503 with `Retry-After: 1`", (Status(503, Some("1")), Always), ["3, 503", "3, 503", "3, 503", "1, 503"], "1"),
    row("503 with `Retry-After: 60`", (Status(503, Some("60")), Always), ["3, 503", "2, 503", "3, 503", "1, 503"], "1, 2"),
    row("504", (Status(504, None), Always), ["3, 504", "3, 504", "3, 504", "1, 504"], "1"),
    row("429", (Status(429, None), Always), ["1, 429", "3, 429", "1, 429", "1, 429"], "3"),
    row("429, once", (Status(429, None), Once), ["1, 429", "2, 200", "1, 429", "1, 429"], "3"),
    row("409", (Status(409, None), Always), ["3, 409", "1, 409", "3, 409", "1, 409"], "1, 4"),
    row("404", (Status(404, None), Always), ["1, 404", "1, 404", "1, 404", "1, 404"], ""),
    row("no answer", (Hang, Always), ["3, none", "3, none", "3, none", "1, none"], "1"),
    row("no answer, once", (Hang, Once), ["2, 200", "2, 200", "2, 200", "1, none"], "1"),
    row("stream refused", (ResetStream(REFUSED_STREAM), Always), ["3, none", "3, none", "3, none", "3, none"], ""),
    row("stream refused, once", (ResetStream(REFUSED_STREAM), Once), ["2, 200", "2, 200", "2, 200", "2, 200"], ""),
    row("stream reset, INTERNAL_ERROR, once", (ResetStream(INTERNAL_ERROR), Once), ["2, 200", "2, 200", "2, 200", "1, none"], "1"),
    row("stream reset, ENHANCE_YOUR_CALM, once", (ResetStream(ENHANCE_YOUR_CALM), Once), ["2, 200", "2, 200", "2, 200", "1, none"], "1"),
    row("GOAWAY, not processed, once", (GoneBefore, Once), ["2, 200", "2, 200", "2, 200", "2, 200"], ""),
    row("GOAWAY, perhaps processed, once", (GoneWith, Once), ["2, 200", "2, 200", "2, 200", "1, none"], "1"),
    row("GOAWAY with an error, perhaps processed, once", (BrokenWith, Once), ["2, 200", "2, 200", "2, 200", "1, none"], "1"),
];

type Asked = Request<Full<Bytes>>;
type Hyper = Client<HttpConnector, Full<Bytes>>;

#[tokio::test]
#[ignore = "needs Envoy: `cargo xtask verify`"]
async fn agrees_with_envoy_or_says_why_not() {
    let servers = Servers::start().await;
    let envoy = Envoy::start(&servers).await;
    let mut wrong = Vec::new();
    for row in TABLE {
        let (fault, times) = (row.fault, row.times);
        let http2 = matches!(fault, ResetStream(_) | GoneBefore | GoneWith | BrokenWith);
        let mut seen = Vec::new();
        for method in [Method::GET, Method::POST] {
            servers.play(fault, times);
            let mut request = asked(&method, envoy.address);
            let cluster = envoy::cluster(http2, fault, times).parse().unwrap();
            request.headers_mut().insert(CLUSTER, cluster);
            let got = got(hyper(false).request(request).await).await;
            seen.push(cell(servers.seen(), got));

            servers.play(fault, times);
            let got = dispatched(
                &hyper(http2),
                servers.endpoints(fault, times),
                asked(&method, envoy.address),
            )
            .await;
            seen.push(cell(servers.seen(), got));
        }
        wrong.extend(row.check(&seen.try_into().unwrap(), &[&[0, 1], &[2, 3]]));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The page's.
pub(crate) fn policy() -> Policy {
    Policy::new()
        .deadline(Duration::from_secs(5))
        .attempt_timeout(Duration::from_millis(400))
        .redundancy(Redundancy::failover(3))
}

fn hyper(http2: bool) -> Hyper {
    Client::builder(TokioExecutor::new())
        .http2_only(http2)
        .build_http()
}

fn asked(method: &Method, address: SocketAddr) -> Asked {
    let body = if method == Method::POST { "x" } else { "" };
    Request::builder()
        .method(method)
        .uri(format!("http://{address}/"))
        .body(Full::from(body))
        .unwrap()
}

/// Through buttress, to whichever endpoint it picks.
async fn dispatched(hyper: &Hyper, endpoints: [SocketAddr; 2], request: Asked) -> String {
    let hyper = hyper.clone();
    let connect = move |endpoint: &Endpoint| {
        let uri: http::Uri = format!("http://{}/", endpoint.address()).parse().unwrap();
        let aim = move |mut request: Asked| {
            *request.uri_mut() = uri.clone();
            request
        };
        ServiceBuilder::new()
            .map_request(aim)
            .service(hyper.clone())
    };
    let endpoints = fixed(endpoints.map(|address| address.to_string())).unwrap();
    let root = Buttress::new().policy("oracle", policy());
    let service = root.dispatch("oracle", Http, endpoints, connect).unwrap();
    got(service.oneshot(request).await).await
}

/// The status that a server gave, whether its answer was cut short, or that no server answered.
async fn got<B: Body, E>(result: Result<Response<B>, E>) -> String {
    match result {
        Ok(answer) if answer.headers().contains_key("x-own") => {
            let status = answer.status().as_u16().to_string();
            match answer.into_body().collect().await {
                Ok(_) => status,
                Err(_) => "cut".to_owned(),
            }
        }
        _ => "none".to_owned(),
    }
}
