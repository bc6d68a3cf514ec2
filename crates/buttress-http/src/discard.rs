//! A body that nobody wants.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http_body::Body;

pin_project_lite::pin_project! {
    /// Reads a body to its end, for its end tells how the call went.
    #[must_use = "futures do nothing unless polled"]
    pub struct Discarding<B> {
        #[pin]
        body: B,
    }
}

impl<B> Discarding<B> {
    pub(crate) const fn of(body: B) -> Self {
        Self { body }
    }
}

impl<B: Body> Future for Discarding<B> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut body = self.project().body;
        while !body.is_end_stream() {
            match ready!(body.as_mut().poll_frame(cx)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            }
        }
        Poll::Ready(())
    }
}

impl<B> fmt::Debug for Discarding<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Discarding")
    }
}
