//! The clients: a hyper client with a deadline, and the same behind three policies.

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
    client::legacy::{self, Error, ResponseFuture, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::timeout;
use tower::{Service, ServiceExt as _};

use crate::Fallible;

/// Who sends the same calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// One replica after another, whatever they answer.
    Naked,
    /// The better of two replicas, and another one when it fails.
    Failover,
    /// The same, and another one beside it when it is slow.
    Hedged,
    /// Replica a, and the others while it is out or when it fails.
    Standby,
}

const DEADLINE: Duration = Duration::from_secs(1);
const ATTEMPT: Duration = Duration::from_millis(100);
const EXTRA_PERCENT: u32 = 20;
const OPEN_FOR: Duration = Duration::from_millis(300);
const UP_TO: Duration = Duration::from_secs(1);
/// As short as the outages here: from a fifth to all in a second and a half.
const RAMP: RampPolicy = RampPolicy {
    from: Ratio::new(0.2),
    factor: 2.0,
};

impl Client {
    pub(crate) const ALL: [Self; 4] = [Self::Naked, Self::Failover, Self::Hedged, Self::Standby];
    pub(crate) const GUARDED: [Self; 3] = [Self::Failover, Self::Hedged, Self::Standby];

    /// Its policy's name, too.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Naked => "naked",
            Self::Failover => "failover",
            Self::Hedged => "hedged",
            Self::Standby => "standby",
        }
    }

    pub(crate) const fn says(self) -> &'static str {
        match self {
            Self::Naked => "round robin, the same hyper client and deadline",
            Self::Failover => "the better of two, and up to 2 more attempts elsewhere",
            Self::Hedged => "the same, and a copy beside a slow call, after a delay it learns",
            Self::Standby => "a; b and c while a is out, and up to 2 more attempts elsewhere",
        }
    }

    fn policy(self) -> Policy {
        let redundancy = match self {
            Self::Hedged => Redundancy::hedge(3),
            _ => Redundancy::failover(3),
        };
        let breaker = BreakerPolicy::new().open_for(OPEN_FOR).up_to(UP_TO);
        Policy::new()
            .deadline(DEADLINE)
            .attempt_timeout(ATTEMPT)
            .redundancy(redundancy)
            .extra_load(Ratio::percent(EXTRA_PERCENT))
            .breaker(breaker.ramp(RAMP))
    }

    /// Its replicas, in the order of their names.
    fn endpoints(self, addresses: &[String]) -> Fallible<Vec<Endpoint>> {
        let priority = |place: usize| u32::from(self == Self::Standby && place > 0);
        let endpoint = |(place, address): (usize, &String)| {
            Ok(Endpoint::new(address)?.priority(priority(place)))
        };
        addresses.iter().enumerate().map(endpoint).collect()
    }
}

pub(crate) fn policies() -> Buttress {
    Client::GUARDED
        .into_iter()
        .fold(Buttress::new(), |buttress, client| {
            buttress.policy(client.name(), client.policy())
        })
}

pub(crate) fn policy_says() -> String {
    format!(
        "deadline {DEADLINE:?}, attempt {ATTEMPT:?}, {EXTRA_PERCENT} % extra load, breaker open for {OPEN_FOR:?} up to\n            \
         {UP_TO:?}, GET /healthz between calls"
    )
}

/// What follows from it, at `rate` calls a second to all three.
pub(crate) fn policy_means(rate: f64) -> String {
    let replicas = crate::fleet::NAMES.len() as u32;
    let traffic = Traffic {
        calls_per_second: rate / f64::from(replicas),
        endpoints: replicas,
    };
    Client::Failover.policy().explain(traffic).to_string()
}

type Hyper = legacy::Client<HttpConnector, Full<Bytes>>;

fn hyper() -> Hyper {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    legacy::Client::builder(TokioExecutor::new()).build(connector)
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

/// All of them, ready to send.
#[derive(Clone)]
pub(crate) struct Clients {
    naked: Arc<[Replica]>,
    guarded: [Dispatch<Replica, Http>; 3],
}

impl Clients {
    /// Pools are not shared: no client finds connections that another opened.
    pub(crate) fn new(buttress: &Buttress, addresses: &[String]) -> Fallible<Self> {
        let client = hyper();
        let naked = addresses
            .iter()
            .map(|address| Replica::new(client.clone(), address))
            .collect();
        let guarded = |client: Client| {
            let hyper = hyper();
            let connect =
                move |endpoint: &Endpoint| Replica::new(hyper.clone(), endpoint.address());
            let health = HttpProbe::get("/healthz")?.over(connect.clone());
            let replicas = fixed(client.endpoints(addresses)?)?;
            let dispatch = buttress.dispatch(client.name(), Http, replicas, connect)?;
            Fallible::Ok(dispatch.probed(health))
        };
        let [failover, hedged, standby] = Client::GUARDED.map(guarded);
        Ok(Self {
            naked,
            guarded: [failover?, hedged?, standby?],
        })
    }

    /// Call number `number` of this one: the naked one calls the replica whose turn it is.
    pub(crate) async fn call(&self, client: Client, number: u64) -> bool {
        let [failover, hedged, standby] = &self.guarded;
        match client {
            Client::Naked => {
                let replica = self.naked[number as usize % self.naked.len()].clone();
                timeout(DEADLINE, succeeds(replica)).await.unwrap_or(false)
            }
            Client::Failover => succeeds(failover.clone()).await,
            Client::Hedged => succeeds(hedged.clone()).await,
            Client::Standby => succeeds(standby.clone()).await,
        }
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
