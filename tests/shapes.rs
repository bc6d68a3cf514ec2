//! The shapes users rely on: what may be cloned, sent and shared.

use buttress::{Dispatch, DispatchLayer, Guard, GuardLayer, Http, Plain, RetryLayer, Vitals};

const fn shareable<T: Clone + Send + Sync + 'static>() {}

#[test]
fn services_and_layers_are_clone_send_sync_and_static() {
    shareable::<GuardLayer<Http>>();
    shareable::<Guard<(), Http>>();
    shareable::<DispatchLayer<Http>>();
    shareable::<RetryLayer<Plain>>();
    shareable::<Dispatch<(), Plain>>();
    shareable::<Vitals>();
}
