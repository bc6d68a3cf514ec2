//! Each stack, around each kind.

use axum::{BoxError, Router, error_handling::HandleErrorLayer};
use http::StatusCode;
use tonic::transport::Channel;
use tower::{ServiceBuilder, layer::util::Identity};
use tower_resilience::{
    bulkhead::BulkheadLayer, circuitbreaker::CircuitBreakerLayer, timelimiter::TimeLimiterLayer,
};

use crate::{
    hyper::{self, HyperClient},
    policy::{DEADLINE, LIMIT},
    stack::Stack,
    tonic as grpc,
};

/// Its layers, outermost first, as its own guide has them.
macro_rules! layers {
    ($builder:expr) => {
        $builder
            .map_err(BoxError::from)
            .layer(
                TimeLimiterLayer::builder()
                    .timeout_duration(DEADLINE)
                    .build(),
            )
            .map_err(BoxError::from)
            .layer(CircuitBreakerLayer::builder().build().map_err(wrong)?)
            .layer(
                BulkheadLayer::builder()
                    .max_concurrent_calls(LIMIT)
                    .build()
                    .map_err(wrong)?,
            )
    };
}

pub(crate) fn axum(stack: Stack, app: Router) -> Result<Router, String> {
    Ok(match stack {
        Stack::Identity | Stack::Control => app.layer(Identity::new()),
        Stack::TowerResilience => {
            let handled =
                ServiceBuilder::new().layer(HandleErrorLayer::new(async |_: BoxError| {
                    StatusCode::SERVICE_UNAVAILABLE
                }));
            app.layer(layers!(handled))
        }
    })
}

pub(crate) fn hyper(stack: Stack, client: HyperClient, _: &str) -> Result<hyper::Boxed, String> {
    Ok(match stack {
        Stack::Identity | Stack::Control => {
            hyper::boxed(ServiceBuilder::new().layer(Identity::new()).service(client))
        }
        Stack::TowerResilience => hyper::boxed(layers!(ServiceBuilder::new()).service(client)),
    })
}

pub(crate) fn tonic(stack: Stack, channel: Channel, _: &str) -> Result<grpc::Boxed, String> {
    Ok(match stack {
        Stack::Identity | Stack::Control => grpc::boxed(
            ServiceBuilder::new()
                .layer(Identity::new())
                .service(channel),
        ),
        Stack::TowerResilience => grpc::boxed(layers!(ServiceBuilder::new()).service(channel)),
    })
}

fn wrong(error: impl std::fmt::Display) -> String {
    error.to_string()
}
