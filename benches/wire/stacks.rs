//! Each stack, around each kind.

use axum::{BoxError, Router, error_handling::HandleErrorLayer};
use buttress::{GRPC_TIMEOUT_HEADER, Grpc, Http, PolicyError, fixed};
use http::{HeaderValue, Request, StatusCode};
use tonic::{body::Body, transport::Channel};
use tower::{ServiceBuilder, layer::util::Identity};

use crate::{
    hyper::{self, HyperClient},
    policy::{DEADLINE, LIMIT, NAME, dispatched, guarded},
    stack::Stack,
    tonic as grpc,
};

pub(crate) fn axum(stack: Stack, app: Router) -> Result<Router, String> {
    Ok(match stack {
        Stack::Identity | Stack::Control | Stack::Told => app.layer(Identity::new()),
        Stack::Tower => app.layer(
            ServiceBuilder::new()
                .layer(HandleErrorLayer::new(async |_: BoxError| {
                    StatusCode::SERVICE_UNAVAILABLE
                }))
                .timeout(DEADLINE)
                .concurrency_limit(LIMIT),
        ),
        Stack::Buttress | Stack::Dispatch => app.layer(guarded().guard(NAME, Http).map_err(wrong)?),
    })
}

pub(crate) fn hyper(
    stack: Stack,
    client: HyperClient,
    address: &str,
) -> Result<hyper::Boxed, String> {
    let builder = ServiceBuilder::new();
    Ok(match stack {
        Stack::Identity | Stack::Control | Stack::Told => {
            hyper::boxed(builder.layer(Identity::new()).service(client))
        }
        Stack::Tower => hyper::boxed(
            builder
                .timeout(DEADLINE)
                .concurrency_limit(LIMIT)
                .service(client),
        ),
        Stack::Buttress => {
            let guard = guarded().guard(NAME, Http).map_err(wrong)?;
            hyper::boxed(builder.layer(guard).service(client))
        }
        Stack::Dispatch => {
            let endpoints = fixed([address]).map_err(|error| error.to_string())?;
            let dispatch = dispatched().dispatch(NAME, Http, endpoints, move |_| client.clone());
            hyper::boxed(dispatch.map_err(wrong)?)
        }
    })
}

pub(crate) fn tonic(stack: Stack, channel: Channel, address: &str) -> Result<grpc::Boxed, String> {
    let builder = ServiceBuilder::new();
    Ok(match stack {
        Stack::Identity | Stack::Control => {
            grpc::boxed(builder.layer(Identity::new()).service(channel))
        }
        Stack::Told => grpc::boxed(builder.map_request(tell).service(channel)),
        Stack::Tower => grpc::boxed(
            builder
                .timeout(DEADLINE)
                .concurrency_limit(LIMIT)
                .service(channel),
        ),
        Stack::Buttress => {
            let guard = guarded().guard(NAME, Grpc).map_err(wrong)?;
            grpc::boxed(builder.layer(guard).service(channel))
        }
        Stack::Dispatch => {
            let endpoints = fixed([address]).map_err(|error| error.to_string())?;
            let dispatch = dispatched().dispatch(NAME, Grpc, endpoints, move |_| channel.clone());
            grpc::boxed(dispatch.map_err(wrong)?)
        }
    })
}

/// The channel keeps it as well.
fn tell(mut request: Request<Body>) -> Request<Body> {
    let deadline = HeaderValue::from_static("5S");
    request.headers_mut().insert(GRPC_TIMEOUT_HEADER, deadline);
    request
}

fn wrong(error: PolicyError) -> String {
    error.to_string()
}
