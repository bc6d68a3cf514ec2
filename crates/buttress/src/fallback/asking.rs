//! A call to the service that stands in.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tower_service::Service;

pin_project_lite::pin_project! {
    /// Makes a service ready, and asks it: nothing, if it cannot be asked or says no.
    #[must_use = "futures do nothing unless polled"]
    pub struct Asking<T, Req>
    where
        T: Service<Req>,
    {
        service: T,
        request: Option<Req>,
        #[pin]
        future: Option<T::Future>,
    }
}

impl<T: Service<Req>, Req> Asking<T, Req> {
    /// Without a request nobody is asked.
    pub(super) const fn new(service: T, request: Option<Req>) -> Self {
        Self {
            service,
            request,
            future: None,
        }
    }
}

impl<T: Service<Req>, Req> Future for Asking<T, Req> {
    type Output = Option<T::Response>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if this.request.is_some() && ready!(this.service.poll_ready(cx)).is_err() {
            *this.request = None;
        }
        if let Some(request) = this.request.take() {
            this.future.set(Some(this.service.call(request)));
        }
        match this.future.as_pin_mut() {
            Some(future) => future.poll(cx).map(Result::ok),
            None => Poll::Ready(None),
        }
    }
}

impl<T: Service<Req>, Req> fmt::Debug for Asking<T, Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking")
            .field("sent", &self.request.is_none())
            .finish_non_exhaustive()
    }
}
