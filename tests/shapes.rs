//! The shapes users rely on: what may be cloned, sent and shared.

use buttress::{
    Backed, By, ByHost, Dispatch, DispatchLayer, Fallback, FallbackLayer, Guard, GuardLayer,
    Handle, Handles, Http, Keyed, KeyedLayer, Plain, RetryLayer, Subscription, Vitals, instead,
};

const fn shareable<T: Clone + Send + Sync + 'static>() {}

const fn sendable<T: Send + Sync + 'static>() {}

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
}
