//! The shapes users rely on: what may be cloned, sent and shared.

use buttress::{
    By, ByHost, Dispatch, DispatchLayer, Guard, GuardLayer, Handle, Handles, Http, Keyed,
    KeyedLayer, Plain, RetryLayer, Subscription, Vitals,
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
    shareable::<Vitals>();
    shareable::<Handle>();
    shareable::<Handles>();
    sendable::<Subscription>();
}
