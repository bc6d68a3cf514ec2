//! The shapes users rely on: what may be cloned, sent and shared, and how large calls are.

use buttress::{
    At, Backed, By, ByHost, CatchPanic, CatchPanicLayer, Dispatch, DispatchLayer, Fallback,
    FallbackLayer, GrpcHealth, Guard, GuardLayer, Handle, Handles, HealthPage, Heartbeat, Http,
    Idle, IdleLayer, Keyed, KeyedLayer, Plain, ReconnectLayer, RetryLayer, Serving, Subscription,
    Supervisor, TrustBoundary, TrustBoundaryLayer, Vitals, instead,
};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use tonic::transport::Channel;
use tower::Service;

const fn shareable<T: Clone + Send + Sync + 'static>() {}

const fn sendable<T: Send + Sync + 'static>() {}

type Hyper = Client<HttpConnector, Full<Bytes>>;
type Asked = Request<Full<Bytes>>;

#[test]
fn services_and_layers_are_clone_send_sync_and_static() {
    shareable::<GuardLayer<Http>>();
    shareable::<Guard<(), Http>>();
    shareable::<DispatchLayer<Http>>();
    shareable::<RetryLayer<Plain>>();
    shareable::<Dispatch<(), Plain>>();
    shareable::<KeyedLayer<By<Http, ByHost>>>();
    shareable::<Keyed<(), By<Http, ByHost>>>();
    shareable::<FallbackLayer<Backed<Http, instead::Value<u64>>>>();
    // What a function answers with need be neither shared nor cloned.
    type Answer = std::cell::Cell<u64>;
    type Function = instead::With<fn() -> Answer, Answer, Answer>;
    shareable::<Fallback<(), Backed<Plain, Function>>>();
    shareable::<Vitals>();
    shareable::<Handle>();
    shareable::<Handles>();
    sendable::<Subscription>();
    sendable::<Supervisor>();
    shareable::<ReconnectLayer<Plain>>();
}

#[test]
fn what_stands_around_servers_and_clients_is_too() {
    shareable::<At<Hyper>>();
    shareable::<At<reqwest::Client>>();
    shareable::<CatchPanicLayer>();
    shareable::<CatchPanic<()>>();
    shareable::<IdleLayer>();
    shareable::<Idle<()>>();
    shareable::<TrustBoundaryLayer>();
    shareable::<TrustBoundary<()>>();
    shareable::<Serving>();
    shareable::<HealthPage>();
    shareable::<GrpcHealth>();
    sendable::<Heartbeat>();
}

#[test]
fn what_real_clients_are_wrapped_in_can_be_shared_and_their_calls_sent() {
    const fn call<S: Service<Req, Future: Send> + Clone + Send + Sync + 'static, Req>() {}

    call::<Guard<Hyper, Http>, Asked>();
    call::<Dispatch<At<Hyper>, Http>, Asked>();
    call::<Keyed<Hyper, By<Http, ByHost>>, Asked>();
    call::<Guard<reqwest::Client, Http>, reqwest::Request>();
    call::<Dispatch<At<reqwest::Client>, Http>, reqwest::Request>();
    call::<CatchPanic<Guard<Hyper, Http>>, Asked>();
    call::<Guard<Channel, buttress::Grpc>, Request<tonic::body::Body>>();
    call::<Dispatch<Channel, buttress::Grpc>, Request<tonic::body::Body>>();
}

/// A guard adds its attempt, a timer and its terms; whoever waits for a place is boxed. A dispatch has both copies of the request (256 B of
/// hyper, 240 B of tonic), the picked service (304 B of hyper, 48 B of tonic) and what it knows of its tries.
#[test]
fn futures_are_no_larger_than_stated() {
    const fn size<S: Service<Req>, Req>() -> usize {
        size_of::<S::Future>()
    }
    type Grpc = buttress::Grpc;
    type Call = Request<tonic::body::Body>;
    type Reqwest = reqwest::Client;
    for (what, size, most) in [
        ("hyper", size::<Guard<Hyper, Http>, Asked>(), 256),
        (
            "hyper by key",
            size::<Keyed<Hyper, By<Http, ByHost>>, Asked>(),
            256,
        ),
        ("tonic", size::<Guard<Channel, Grpc>, Call>(), 256),
        (
            "reqwest",
            size::<Guard<Reqwest, Http>, reqwest::Request>(),
            256,
        ),
        ("hyper, caught", size::<CatchPanic<Hyper>, Asked>(), 32),
        (
            "dispatch over hyper",
            size::<Dispatch<At<Hyper>, Http>, Asked>(),
            1_792,
        ),
        (
            "dispatch over tonic",
            size::<Dispatch<Channel, Grpc>, Call>(),
            1_536,
        ),
        (
            "dispatch over reqwest",
            size::<Dispatch<At<Reqwest>, Http>, reqwest::Request>(),
            1_536,
        ),
    ] {
        assert!(size <= most, "{what}: {size} bytes, at most {most}");
    }
}
