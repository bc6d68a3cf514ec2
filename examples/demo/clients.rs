//! The two clients: one hyper client with a deadline, and the same behind a policy.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use buttress::{
    BreakerPolicy, Buttress, Dispatch, Endpoint, Http, HttpProbe, Policy, RampPolicy, Ratio,
    Redundancy, Traffic, fixed,
};
use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri, uri::Authority};
use http_body::Body;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, Error, ResponseFuture, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::timeout;
use tower::{Service, ServiceExt as _};

use crate::Fallible;

pub(crate) const POLICY: &str = "demo";

const DEADLINE: Duration = Duration::from_secs(1);
const ATTEMPT: Duration = Duration::from_millis(100);
const ATTEMPTS: u32 = 3;
const EXTRA_PERCENT: u32 = 20;
const OPEN_FOR: Duration = Duration::from_millis(300);
const UP_TO: Duration = Duration::from_secs(1);
/// As short as the outages here: from a fifth to all in a second and a half.
const RAMP: RampPolicy = RampPolicy {
    from: Ratio::new(0.2),
    factor: 2.0,
};

pub(crate) fn policy() -> Policy {
    Policy::new()
        .deadline(DEADLINE)
        .attempt_timeout(ATTEMPT)
        .redundancy(Redundancy::failover(ATTEMPTS))
        .extra_load(Ratio::percent(EXTRA_PERCENT))
        .breaker(
            BreakerPolicy::new()
                .open_for(OPEN_FOR)
                .up_to(UP_TO)
                .ramp(RAMP),
        )
}

pub(crate) fn policy_says() -> String {
    format!(
        "deadline {DEADLINE:?}, attempt {ATTEMPT:?}, {} more attempts elsewhere, {EXTRA_PERCENT} % extra load,\n            \
         breaker open for {OPEN_FOR:?} up to {UP_TO:?}, GET /healthz between calls",
        ATTEMPTS - 1
    )
}

/// What follows from it, at `rate` calls a second to all three.
pub(crate) fn policy_means(rate: f64) -> String {
    let replicas = crate::fleet::NAMES.len() as u32;
    let traffic = Traffic {
        calls_per_second: rate / f64::from(replicas),
        endpoints: replicas,
    };
    policy().explain(traffic).to_string()
}

pub(crate) fn naked_says() -> String {
    format!("deadline {DEADLINE:?}, the same hyper client")
}

type Hyper = Client<HttpConnector, Full<Bytes>>;

fn hyper() -> Hyper {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).build(connector)
}

/// Sends what it is given to one replica.
#[derive(Clone)]
pub(crate) struct Replica {
    client: Hyper,
    authority: Option<Authority>,
}

impl Replica {
    fn new(client: Hyper, address: &str) -> Self {
        // What is no URI has no authority, and hyper says so for each call.
        Self {
            client,
            authority: address
                .parse::<Uri>()
                .ok()
                .and_then(|uri| uri.into_parts().authority),
        }
    }
}

impl Service<Request<Full<Bytes>>> for Replica {
    type Response = Response<Incoming>;
    type Error = Error;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Service::poll_ready(&mut self.client, context)
    }

    fn call(&mut self, mut request: Request<Full<Bytes>>) -> ResponseFuture {
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.scheme = Some(http::uri::Scheme::HTTP);
        parts.authority = self.authority.clone();
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
        self.client.call(request)
    }
}

/// Both, ready to send.
#[derive(Clone)]
pub(crate) struct Clients {
    naked: Arc<[Replica]>,
    buttressed: Dispatch<Replica, Http>,
}

impl Clients {
    /// Pools are not shared: neither client finds connections that the other opened.
    pub(crate) fn new(buttress: &Buttress, addresses: &[String]) -> Fallible<Self> {
        let client = hyper();
        let naked = addresses
            .iter()
            .map(|address| Replica::new(client.clone(), address))
            .collect();
        let client = hyper();
        let endpoints = fixed(addresses.iter().map(String::as_str))?;
        let connect = move |endpoint: &Endpoint| Replica::new(client.clone(), endpoint.address());
        let health = HttpProbe::get("/healthz")?.over(connect.clone());
        Ok(Self {
            naked,
            buttressed: buttress
                .dispatch(POLICY, Http, endpoints, connect)?
                .probed(health),
        })
    }

    /// Call number `number`, to the replica whose turn it is.
    pub(crate) async fn naked(&self, number: u64) -> bool {
        let replica = self.naked[number as usize % self.naked.len()].clone();
        timeout(DEADLINE, succeeds(replica)).await.unwrap_or(false)
    }

    pub(crate) async fn buttressed(&self) -> bool {
        succeeds(self.buttressed.clone()).await
    }
}

/// Is a call answered with 200 and a whole body?
async fn succeeds<S, B>(service: S) -> bool
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>>,
    B: Body,
{
    let mut request = Request::new(Full::default());
    *request.uri_mut() = Uri::from_static("/work");
    match service.oneshot(request).await {
        Ok(response) if response.status() == StatusCode::OK => {
            response.into_body().collect().await.is_ok()
        }
        _ => false,
    }
}
