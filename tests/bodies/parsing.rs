//! What peers say is read without an allocation.

use std::{error::Error, fmt, io};

use buttress::{
    ATTEMPT_HEADER, BUDGET_HEADER, Cause, DEADLINE_HEADER, Describe, Http, Outcome, Protocol,
    Resend,
};
use http::{Request, Response, header};
use http_body_util::Empty;

fn allocations(run: impl FnOnce()) -> u64 {
    allocation_counter::measure(run).count_total
}

#[test]
fn headers_of_peers_cost_no_allocation() {
    let mut request = Request::new(());
    for (name, value) in [
        (DEADLINE_HEADER, "00000000000000000000000000250"),
        (ATTEMPT_HEADER, "99999999999999999999999"),
        (BUDGET_HEADER, "spent"),
    ] {
        request.headers_mut().append(name, value.parse().unwrap());
    }
    let read = allocations(|| {
        let call = Http.call(&request);
        assert!(call.extra && call.within.is_some());
    });
    assert_eq!(read, 0);
    for (retry_after, hint) in [
        ("7", 7),
        ("Sun, 06 Nov 1994 08:49:44 GMT", 7),
        ("Sunday, 06-Nov-94 08:49:44 GMT", 7),
        ("Sun Nov  6 08:49:44 1994", 7),
        ("99999999999999999999999999999999", 30),
    ] {
        let answer = Response::builder()
            .status(503)
            .header(header::RETRY_AFTER, retry_after)
            .header(header::DATE, "Sun, 06 Nov 1994 08:49:37 GMT")
            .body(Empty::<&[u8]>::new())
            .unwrap();
        let read = allocations(|| {
            let outcome = Protocol::<_, io::Error>::classify(&Http, Ok(&answer));
            let hint = std::time::Duration::from_secs(hint);
            assert_eq!(outcome, Outcome::Overload(Some(hint)));
        });
        assert_eq!(read, 0, "{retry_after}");
    }
}

/// Beside what the request itself costs: what both sides share, a box for each, and the way to them among the copy's extensions.
#[test]
fn a_body_that_is_read_once_costs_six_allocations_to_keep() {
    let frames = || super::support::Frames::new([super::support::data("one")]);
    let mut request = Request::new(axum::body::Body::new(frames()));
    let mut copy = None;
    let kept = allocations(|| copy = Http.copy(&mut request));
    assert!(copy.is_some());
    assert_eq!(kept, 6);
}

#[derive(Debug)]
struct Link(Option<Box<Self>>);

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection closed before message completed, {}", 7)
    }
}

impl Error for Link {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.as_deref().map(|link| link as _)
    }
}

/// When everything fails, every call has one.
#[test]
fn an_error_is_judged_without_an_allocation() {
    let error = Link(Some(Box::new(Link(None))));
    let judged = allocations(|| {
        let outcome = Protocol::<Response<Empty<&[u8]>>, _>::classify(&Http, Err(&error));
        assert_eq!(outcome, Outcome::Failure(Cause::Reset));
    });
    assert_eq!(judged, 0);
}
