//! What is read from metadata, and written to it.

use std::time::Duration;

use buttress::{CLOCK, Describe as _, Grpc, Policy, Protocol, Redundancy};
use http::HeaderValue;
use tonic::{Code, Request, body::Body, metadata::MetadataMap, transport};

use crate::{
    ALL, counts, failover, item,
    replica::{Act, Replica},
    replicas,
};

const MS: Duration = Duration::from_millis(1);

#[tokio::test]
async fn a_push_back_is_waited_for_and_one_below_zero_ends_it() {
    let busy = Replica::default().once(Act::Fail(Code::Unavailable, Some("60")));
    let (buttress, mut client) = replicas(failover(), ALL, &[busy.serve().await]);
    let began = CLOCK.now();
    client.count(item()).await.unwrap();
    assert!(CLOCK.now().since(began) >= 60 * MS);
    assert_eq!(counts(&buttress)[0].overloads, 1);
    for pushback in ["-1", "soon"] {
        let act = Act::Fail(Code::Unavailable, Some(pushback));
        let (one, other) = (Replica::always(act), Replica::always(act));
        let addresses = [one.serve().await, other.serve().await];
        let (_, mut client) = replicas(failover(), ALL, &addresses);
        let status = client.count(item()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(
            status.metadata().get("grpc-retry-pushback-ms").unwrap(),
            pushback
        );
        assert_eq!(one.seen().len() + other.seen().len(), 1, "{pushback}");
    }
}

fn timeout(metadata: &MetadataMap) -> Option<Duration> {
    let said = metadata.get("grpc-timeout")?.to_str().unwrap();
    let (digits, unit) = said.split_at(said.len() - 1);
    let number: u64 = digits.parse().unwrap();
    Some(match unit {
        "n" => Duration::from_nanos(number),
        "u" => Duration::from_micros(number),
        "m" => Duration::from_millis(number),
        _ => Duration::from_secs(number),
    })
}

#[tokio::test]
async fn the_timeout_is_what_is_left_and_never_more_than_was_said() {
    let (short, long) = (800 * MS, 3_000 * MS);
    let policy = |deadline| Policy::new().deadline(deadline);
    for (policy, asked, least, most) in [
        (policy(short), None, 1, Some(short)),
        (policy(short), Some(long), 1, Some(short)),
        (policy(long), Some(short), 1, Some(short)),
        (Policy::new(), Some(short), 1, Some(short)),
        (policy(short).tell_deadline(false), None, 0, None),
        (
            policy(short).tell_deadline(false),
            Some(long),
            1,
            Some(short),
        ),
    ] {
        let replica = Replica::default();
        let (_, mut client) = replicas(policy, ALL, &[replica.serve().await]);
        let mut request = Request::new(item());
        if let Some(asked) = asked {
            request.set_timeout(asked);
        }
        client.count(request).await.unwrap();
        let said = timeout(&replica.seen()[0]);
        assert_eq!(said.is_some(), least > 0, "{said:?}");
        assert!(said <= most, "{said:?}");
    }
}

#[tokio::test]
async fn whatever_cuts_a_call_short_is_a_deadline_to_its_client() {
    let hung = Replica::always(Act::Hang);
    let address = hung.serve().await;
    let deadline = Policy::new().deadline(60 * MS);
    for (policy, asked) in [
        (deadline, None),
        (deadline, Some(5_000 * MS)),
        (Policy::new().deadline(5_000 * MS), Some(60 * MS)),
        (Policy::new(), Some(60 * MS)),
        (Policy::new().attempt_timeout(60 * MS), None),
        (deadline.redundancy(Redundancy::failover(2)), None),
    ] {
        let (_, mut client) = replicas(policy, ALL, std::slice::from_ref(&address));
        let mut request = Request::new(item());
        if let Some(asked) = asked {
            request.set_timeout(asked);
        }
        let status = client.count(request).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
        assert!(status.message().contains("no answer within"), "{status}");
    }
}

#[tokio::test]
async fn what_is_an_extra_send_already_is_sent_once() {
    let act = Act::Fail(Code::Unavailable, None);
    let (one, other) = (Replica::always(act), Replica::always(act));
    let addresses = [one.serve().await, other.serve().await];
    let (_, mut client) = replicas(failover(), ALL, &addresses);
    let mut request = Request::new(item());
    let metadata = request.metadata_mut();
    metadata.insert("grpc-previous-rpc-attempts", "1".parse().unwrap());
    client.count(request).await.unwrap_err();
    assert_eq!(one.seen().len() + other.seen().len(), 1);
}

#[test]
fn what_others_say_is_read_without_memory() {
    let words = [&b"soon"[..], b"99999999999999999999", b"-1", b"\xff", b""];
    for said in words {
        let value = HeaderValue::from_bytes(said).unwrap();
        let mut request = http::Request::new(());
        let mut response = http::Response::new(Body::empty());
        for name in [
            "grpc-timeout",
            "grpc-previous-rpc-attempts",
            "grpc-retry-pushback-ms",
        ] {
            request.headers_mut().insert(name, value.clone());
        }
        for name in ["grpc-status", "grpc-message", "grpc-retry-pushback-ms"] {
            response.headers_mut().insert(name, value.clone());
        }
        let info = allocation_counter::measure(|| {
            let call = Grpc.call(&request);
            let outcome = Protocol::<_, transport::Error>::classify(&Grpc, Ok(&response));
            assert!(!call.idempotent && outcome.may_improve());
        });
        assert_eq!(info.count_total, 0, "{value:?}");
    }
}
