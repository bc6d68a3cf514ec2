//! Makes [`Mirror`]s.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use buttress_core::{Budget, PolicyError, Ratio};
use tokio::task::JoinSet;
use tower_layer::Layer;

use super::{ByDigest, Dropped, Mirror, MirrorCounts, Second, counts::Counting, second::Jury};

/// So many copies may be under way at once: a second service that hangs must not hold ever more of them.
const AT_MOST: usize = 100;

/// A copy is given up after so long.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Sends a share of calls to a second service as well: a new version, to see whether it bears them and answers alike, before anybody depends
/// on it. Its answers are dropped, or [compared](Self::compared) and dropped.
///
/// Only requests that may be handled twice are copied. What the copies cost is charged to an account of their own, for they go to another
/// destination: in every window, copies ≤ requests · `share` + 10. At most 100 are under way at once, each for 10 s. What guards the second service, such as a
/// [`Dispatch`](crate::Dispatch) over its set, belongs to it.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tower::BoxError> {
/// use buttress::{Idempotent, MirrorLayer, Plain, Ratio};
/// use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
///
/// let old = service_fn(async |id: u32| Ok::<_, BoxError>(id + 1));
/// let new = service_fn(async |id: u32| Ok::<_, BoxError>(id + 2));
/// let mirror = MirrorLayer::new(Idempotent(Plain), Ratio::percent(100), new)?.compared(|answer: &u32| *answer);
/// let service = ServiceBuilder::new().layer(mirror.clone()).service(old);
/// assert_eq!(service.oneshot(1).await?, 2);
/// while mirror.counts().different == 0 {
///     tokio::task::yield_now().await;
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct MirrorLayer<T, P, C = Dropped>(Arc<Second<T, P, C>>);

impl<T, P> MirrorLayer<T, P> {
    /// Copies `share` of calls to `second`.
    ///
    /// # Errors
    ///
    /// When `share` is none.
    pub fn new(protocol: P, share: Ratio, second: T) -> Result<Self, PolicyError> {
        share.check("mirror.share")?;
        Ok(Self(Arc::new(Second {
            service: second,
            share,
            account: Budget::new(share),
            at_most: AT_MOST,
            timeout: TIMEOUT,
            jury: Arc::new(Jury {
                protocol,
                compare: Dropped,
                counting: Counting::default(),
            }),
            under_way: Mutex::new(JoinSet::new()),
        })))
    }
}

impl<T, P, C> MirrorLayer<T, P, C> {
    /// Compares what `digest` says of both answers: the status of a response, say, or a number in it.
    ///
    /// It counts anew, and no copies before this.
    #[must_use]
    pub fn compared<Res, D, F>(self, digest: F) -> MirrorLayer<T, P, ByDigest<F>>
    where
        F: Fn(&Res) -> D,
        T: Clone,
        P: Clone,
    {
        let second = &*self.0;
        MirrorLayer(Arc::new(Second {
            service: second.service.clone(),
            share: second.share,
            account: Budget::new(second.share),
            at_most: second.at_most,
            timeout: second.timeout,
            jury: Arc::new(Jury {
                protocol: second.jury.protocol.clone(),
                compare: ByDigest(digest),
                counting: Counting::default(),
            }),
            under_way: Mutex::new(JoinSet::new()),
        }))
    }

    /// What has become of the copies so far, of all services of this layer.
    #[must_use]
    pub fn counts(&self) -> MirrorCounts {
        self.0.counts()
    }
}

impl<T, P, C> Clone for MirrorLayer<T, P, C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S, T, P, C> Layer<S> for MirrorLayer<T, P, C> {
    type Service = Mirror<S, Second<T, P, C>>;

    fn layer(&self, first: S) -> Self::Service {
        Mirror {
            first,
            second: Arc::clone(&self.0),
        }
    }
}
