//! Bodies that are sent once.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};

use super::{Replay, Replayable};

pin_project_lite::pin_project! {
    /// A body that is sent once, whatever comes of it: any at all.
    ///
    /// # Examples
    ///
    /// ```
    /// # let incoming = http_body_util::Empty::<bytes::Bytes>::new();
    /// use buttress_http::Once;
    ///
    /// let request = http::Request::put("http://10.0.0.1/large").body(Once::from(incoming)).unwrap();
    /// # let _ = request;
    /// ```
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Once<B> {
        #[pin]
        body: B,
    }
}

impl<B> Once<B> {
    /// The body.
    pub fn into_inner(self) -> B {
        self.body
    }
}

impl<B> From<B> for Once<B> {
    fn from(body: B) -> Self {
        Self { body }
    }
}

impl<B> Replayable for Once<B> {
    fn replay(&mut self, _: &Replay) -> Option<Self> {
        None
    }
}

impl<B: Body> Body for Once<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
