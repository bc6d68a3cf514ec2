//! Answers of many messages.

use std::time::Duration;

use buttress::{BreakerState, Cause, Health, Policy};
use buttress_inventory::{CountReply, WatchRequest};
use tonic::{Code, Status, Streaming};

use crate::{
    ALL, counts, failover, guarded, item,
    replica::{Act, Replica},
    replicas, until,
};

const MS: Duration = Duration::from_millis(1);

fn changes(changes: u32) -> WatchRequest {
    WatchRequest {
        item: "bolt".to_owned(),
        changes,
    }
}

/// Reads to the end, however it comes.
async fn read(stream: &mut Streaming<CountReply>) -> (u64, Option<Status>) {
    let mut seen = 0;
    loop {
        match stream.message().await {
            Ok(Some(_)) => seen += 1,
            Ok(None) => return (seen, None),
            Err(status) => return (seen, Some(status)),
        }
    }
}

#[tokio::test]
async fn a_stream_fails_over_before_its_first_message_and_not_after() {
    let ill = Replica::always(Act::Fail(Code::Unavailable, None));
    let well = Replica::default();
    let addresses = [ill.serve().await, well.serve().await];
    let (_, mut client) = replicas(failover(), ALL, &addresses);
    for _ in 0..8 {
        let mut stream = client.watch(changes(3)).await.unwrap().into_inner();
        assert!(matches!(read(&mut stream).await, (3, None)));
    }
    assert!(!ill.seen().is_empty());
    let breaks = Replica::always(Act::FailAfterOne(Code::Unavailable));
    let addresses = [breaks.serve().await];
    let (buttress, mut client) = replicas(failover(), ALL, &addresses);
    let mut stream = client.watch(changes(3)).await.unwrap().into_inner();
    let (seen, status) = read(&mut stream).await;
    assert_eq!((seen, status.unwrap().code()), (1, Code::Unavailable));
    let counts = counts(&buttress)[0];
    assert_eq!((counts.started, counts.failures.of(Cause::Error)), (1, 1));
}

#[tokio::test]
async fn a_stream_is_cut_by_the_deadline_and_says_so() {
    let replica = Replica::always(Act::Hang);
    let address = replica.serve().await;
    let policy = Policy::new().deadline(100 * MS);
    let (layer, mut client) = guarded(policy, &address);
    let mut stream = client.watch(changes(3)).await.unwrap().into_inner();
    let (seen, status) = read(&mut stream).await;
    let status = status.unwrap();
    assert_eq!((seen, status.code()), (1, Code::DeadlineExceeded));
    assert!(
        status
            .message()
            .starts_with("no answer within the deadline"),
        "{status}"
    );
    assert_eq!(layer.handle().snapshot().counts.in_flight(), 0);
    let (buttress, mut client) = replicas(policy, ALL, &[address]);
    let mut stream = client.watch(changes(3)).await.unwrap().into_inner();
    let (seen, status) = read(&mut stream).await;
    assert_eq!((seen, status.unwrap().code()), (1, Code::DeadlineExceeded));
    assert_eq!(counts(&buttress)[0].in_flight(), 0);
}

#[tokio::test]
async fn a_stream_that_is_no_longer_wanted_is_cancelled_and_no_failure() {
    let replica = Replica::always(Act::Hang);
    let address = replica.serve().await;
    let (layer, mut client) = guarded(Policy::new(), &address);
    let mut stream = client.watch(changes(3)).await.unwrap().into_inner();
    stream.message().await.unwrap();
    assert_eq!(layer.handle().snapshot().counts.in_flight(), 1);
    drop(stream);
    let counts = layer.handle().snapshot().counts;
    assert_eq!(
        (counts.cancelled, counts.finished(), counts.in_flight()),
        (1, 1, 0)
    );
}

#[tokio::test]
async fn streams_that_go_on_are_not_taken_for_calls_that_hang() {
    let replica = Replica::default();
    let address = replica.serve().await;
    // A call that takes longer than half of this is late.
    let policy = Policy::new().attempt_timeout(2_000 * MS);
    let (layer, mut client) = guarded(policy, &address);
    let mut streams = Vec::new();
    for _ in 0..8 {
        let replica = replica.clone();
        drop(replica.once(Act::Every(600)));
        let mut stream = client.watch(changes(3)).await.unwrap().into_inner();
        stream.message().await.unwrap();
        streams.push(stream);
    }
    let mut seen = 0;
    for stream in &mut streams {
        let (rest, status) = read(stream).await;
        assert!(status.is_none());
        seen += rest;
        client.count(item()).await.unwrap();
    }
    assert_eq!(seen, 16);
    until("all are over", || {
        layer.handle().snapshot().counts.in_flight() == 0
    })
    .await;
    let snapshot = layer.handle().snapshot();
    assert_eq!(
        (snapshot.state, snapshot.health),
        (BreakerState::Closed, Health::Healthy),
        "{snapshot:?}"
    );
    assert_eq!(snapshot.suspicion.unwrap_or_default(), 0.0);
    assert_eq!(snapshot.counts.successes, 16);
}
