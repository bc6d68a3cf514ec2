//! The second service, and what is sent to it.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::Duration,
};

use buttress_core::{
    Budget, Call, Describe, Discard, Favoured, Nanos, Outcome, Protocol, Ratio, Resend, Stamp,
};
use tokio::{runtime::Handle, task::JoinSet};
use tower_service::Service;

use super::{Compare, MirrorCounts, counts::Counting};
use crate::{CLOCK, ambient::Around, carry, timer::Timer};

/// The second service of a [`Mirror`](super::Mirror), and what its copies are held to.
pub struct Second<T, P, C> {
    pub(super) service: T,
    pub(super) share: Ratio,
    pub(super) account: Budget,
    pub(super) at_most: usize,
    pub(super) timeout: Duration,
    pub(super) jury: Arc<Jury<P, C>>,
    /// Dropped with the last service, and all copies with it.
    pub(super) under_way: Mutex<JoinSet<()>>,
}

/// Who looks at both answers.
pub(super) struct Jury<P, C> {
    pub(super) protocol: P,
    pub(super) compare: C,
    pub(super) counting: Counting,
}

/// The digest of whichever answer came first.
#[derive(Debug)]
pub(super) struct Pair<D>(Mutex<Option<D>>);

impl<T, P, C> Second<T, P, C> {
    pub(super) fn counts(&self) -> MirrorCounts {
        self.jury.counting.now()
    }

    /// A copy of this request, if it was drawn, may be made, and is paid for.
    pub(super) fn copy<Req>(&self, request: &mut Req) -> Option<Req>
    where
        P: Resend<Req> + Describe<Req>,
    {
        self.account.deposit();
        if fastrand::f64() >= self.share.as_f64() {
            return None;
        }
        let protocol = &self.jury.protocol;
        let call = protocol.call(request);
        // Its first send has had its turn to be drawn.
        let extra = call.extra || Around::here().marks.is_extra();
        let may_be_copied = !extra && (call.idempotent || protocol.idempotent(request));
        let copy = if may_be_copied && self.account.charge() {
            protocol.copy(request)
        } else {
            None
        };
        match &copy {
            Some(copy) => protocol.favour(copy, Favoured::Original),
            None => self.jury.counting.skipped.one(),
        }
        copy
    }

    /// Sends it, beside the caller's own.
    pub(super) fn send<Req>(&self, mut copy: Req) -> Option<Arc<Pair<C::Digest>>>
    where
        T: Service<Req> + Clone + Send + 'static,
        T::Future: Send,
        T::Response: Send,
        T::Error: Send,
        P: Describe<Req>
            + Protocol<T::Response, T::Error>
            + Discard<T::Response>
            + Send
            + Sync
            + 'static,
        P::Discarding: Send,
        C: Compare<T::Response> + Send + Sync + 'static,
        Req: Send + 'static,
    {
        let mut under_way = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while under_way.try_join_next().is_some() {}
        let runtime = Handle::try_current().ok();
        let Some(runtime) = runtime.filter(|_| under_way.len() < self.at_most) else {
            self.jury.counting.skipped.one();
            return None;
        };
        self.jury.protocol.stamp(&mut copy, &Stamp::new().again(1));
        let pair = Arc::new(Pair(Mutex::new(None)));
        let until = CLOCK.now().after(self.timeout);
        let jury = Arc::clone(&self.jury);
        let hearing = jury.hear(self.service.clone(), copy, Arc::clone(&pair));
        let hearing = within(until, hearing, Arc::clone(&self.jury));
        let part = Call::new().extra().deadline(until);
        under_way.spawn_on(carry(part, hearing), &runtime);
        self.jury.counting.sent.one();
        Some(pair)
    }
}

impl<P, C> Jury<P, C> {
    /// What the second service answers.
    async fn hear<T, Req>(self: Arc<Self>, mut service: T, copy: Req, pair: Arc<Pair<C::Digest>>)
    where
        T: Service<Req>,
        P: Protocol<T::Response, T::Error> + Discard<T::Response>,
        C: Compare<T::Response>,
    {
        let ready = poll_fn(|cx| service.poll_ready(cx)).await;
        let answer = match ready {
            Ok(()) => service.call(copy).await,
            Err(error) => Err(error),
        };
        let outcome = self.protocol.classify(answer.as_ref());
        let failed =
            answer.is_err() || matches!(outcome, Outcome::Failure(_) | Outcome::Overload(_));
        if let Ok(answer) = answer {
            self.compare(&pair, self.compare.digest(&answer));
            self.protocol.discard(answer).await;
        }
        // At the end: whoever takes too long to be discarded is counted for that.
        if failed {
            self.counting.failed.one();
        }
    }

    /// An answer has come; the second of two tells whether they are alike.
    pub(super) fn compare<D: PartialEq>(&self, pair: &Pair<D>, digest: Option<D>) {
        let Some(digest) = digest else {
            return;
        };
        let mut other = pair.0.lock().unwrap_or_else(PoisonError::into_inner);
        match other.take() {
            None => *other = Some(digest),
            Some(other) if other == digest => self.counting.same.one(),
            Some(_) => self.counting.different.one(),
        }
    }
}

/// Gives it up when its time is over: then it has failed.
async fn within<P, C>(until: Nanos, hearing: impl Future<Output = ()>, jury: Arc<Jury<P, C>>) {
    let (mut hearing, mut timer) = (pin!(hearing), pin!(Timer::default()));
    poll_fn(|cx| match hearing.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => {
            let over = timer.as_mut().poll_until(until, cx);
            over.map(|()| jury.counting.failed.one())
        }
    })
    .await;
}

impl<T, P, C> fmt::Debug for Second<T, P, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Second")
            .field("share", &self.share)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}
