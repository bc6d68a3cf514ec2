use std::{error::Error, future::poll_fn, io, time::Duration};

use tokio::time::timeout;
use tower_layer::Layer;
use tower_service::Service;

use super::*;
use crate::{BoxError, Scripted, obeys_the_laws};

const MS: Duration = Duration::from_millis(1);

async fn call<S: Service<u64>>(service: &mut S) -> Result<S::Response, S::Error> {
    poll_fn(|cx| service.poll_ready(cx)).await?;
    service.call(1).await
}

async fn kinds(layer: &FaultLayer, calls: usize) -> Vec<Option<FaultKind>> {
    let mut service = layer.layer(Scripted::new());
    let mut kinds = Vec::new();
    for _ in 0..calls {
        let error = call(&mut service).await.err();
        kinds.push(error.map(|error| error.downcast_ref::<InjectedFault>().unwrap().kind()));
    }
    kinds
}

#[tokio::test(start_paused = true)]
async fn is_off_until_enabled_and_off_again_when_disabled() {
    let layer = FaultLayer::new(1).faults(Faults::none().hang(1.0));
    let mut service = layer.layer(Scripted::new());
    assert!(call(&mut service).await.is_ok());
    layer.handle().enable();
    assert!(timeout(1000 * MS, call(&mut service)).await.is_err());
    layer.handle().disable();
    assert!(call(&mut service).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn hits_the_same_calls_by_the_same_seed() {
    let faults = Faults::none().error(0.3).reset(0.2);
    let of = |seed| FaultLayer::new(seed).faults(faults).enable();
    let first = kinds(&of(7), 200).await;
    assert_eq!(first, kinds(&of(7), 200).await);
    assert_ne!(first, kinds(&of(8), 200).await);
    let hit = first.iter().flatten().count();
    // 1 - 0.7 * 0.8 = 0.44 of 200 is 88, with a deviation of 7.
    assert!((60..=116).contains(&hit), "{hit}");
}

#[tokio::test(start_paused = true)]
async fn a_changed_rate_leaves_the_other_kinds_where_they_were() {
    let errors = |kinds: Vec<_>| -> Vec<bool> {
        kinds
            .into_iter()
            .map(|kind| kind == Some(FaultKind::Error))
            .collect()
    };
    let alone = FaultLayer::new(7).faults(Faults::none().error(0.3));
    let both = FaultLayer::new(7).faults(Faults::none().error(0.3).stall(0.5, MS).latency(MS));
    assert_eq!(
        errors(kinds(&alone.enable(), 100).await),
        errors(kinds(&both.enable(), 100).await)
    );
}

#[tokio::test(start_paused = true)]
async fn adds_latency_and_stall_before_the_end() {
    let slow = Faults::none().latency(30 * MS).stall(1.0, 70 * MS);
    for faults in [slow, slow.error(1.0)] {
        let layer = FaultLayer::new(1).faults(faults).enable();
        let mut service = layer.layer(Scripted::new());
        assert!(timeout(99 * MS, call(&mut service)).await.is_err());
        assert!(timeout(102 * MS, call(&mut service)).await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_has_the_io_error_as_its_source() {
    let layer = FaultLayer::new(1)
        .label("a")
        .faults(Faults::none().reset(1.0));
    let error: BoxError = call(&mut layer.enable().layer(Scripted::new()))
        .await
        .unwrap_err();
    let fault = error.downcast_ref::<InjectedFault>().unwrap();
    assert_eq!((fault.kind(), fault.label()), (FaultKind::Reset, Some("a")));
    let source = fault.source().unwrap().downcast_ref::<io::Error>().unwrap();
    assert_eq!(source.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test(start_paused = true)]
async fn a_plan_reaches_layers_made_before_and_after() {
    let plan = FaultPlan::new(3);
    let before = plan.layer("a");
    plan.set("a", Faults::none().error(1.0));
    plan.enable();
    for (layer, fails) in [
        (before, true),
        (plan.layer("a"), true),
        (plan.layer("b"), false),
    ] {
        assert_eq!(
            call(&mut layer.layer(Scripted::new())).await.is_err(),
            fails
        );
    }
    plan.disable();
    assert!(
        call(&mut plan.layer("a").layer(Scripted::new()))
            .await
            .is_ok()
    );
}

#[test]
fn a_rate_is_held_between_none_and_all() {
    for (given, kept) in [
        (-1.0, 0.0),
        (f64::NAN, 0.0),
        (0.5, 0.5),
        (f64::INFINITY, 1.0),
    ] {
        assert_eq!(Rate::new(given), Rate(kept));
    }
}

#[tokio::test(start_paused = true)]
async fn obeys_the_laws_when_off_and_when_slow() {
    let off = FaultLayer::new(1).faults(Faults::none().error(1.0));
    obeys_the_laws(|inner| off.layer(inner)).await;
    let slow = FaultLayer::new(1).faults(Faults::none().stall(0.5, MS));
    let slow = slow.enable();
    crate::laws::releases_on_drop(|inner| slow.layer(inner)).await;
    crate::laws::serves_clones_together(|inner| slow.layer(inner)).await;
}
