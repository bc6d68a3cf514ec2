//! What a generated client sees, and what is counted.

use std::time::Duration;

use buttress::{
    BreakerPolicy, Call, Cause, Endpoint, HealthPolicy, Policy, Ratio, Redundancy, fixed, instead,
};
use buttress_inventory::{RestockRequest, WatchRequest, inventory_client::InventoryClient};
use tonic::{Code, Request};
use tower::Layer as _;

use crate::{
    ALL, channel, counts, failover, guarded, item,
    raw::{Rest, heads_first},
    replica::{Act, Replica},
    replicas,
};

#[tokio::test]
async fn a_generated_client_runs_unchanged() {
    let address = Replica::default().serve().await;
    let (buttress, mut over_replicas) = replicas(failover(), ALL, std::slice::from_ref(&address));
    let (layer, mut over_one) = guarded(Policy::new(), &address);
    macro_rules! all_kinds {
        ($client:ident) => {
            let reply = $client.count(item()).await.unwrap();
            assert_eq!(reply.get_ref().count, 7);
            let watch = WatchRequest {
                item: String::new(),
                changes: 3,
            };
            let mut changes = $client.watch(watch).await.unwrap().into_inner();
            let mut seen = Vec::new();
            while let Some(change) = changes.message().await.unwrap() {
                seen.push(change.count);
            }
            assert_eq!(seen, [0, 1, 2]);
            let put = |count| RestockRequest {
                item: String::new(),
                count,
            };
            let items = tokio_stream::iter([1, 2, 3].map(put));
            let reply = $client.restock(items).await.unwrap();
            assert_eq!((reply.get_ref().messages, reply.get_ref().total), (3, 6));
        };
    }
    all_kinds!(over_replicas);
    all_kinds!(over_one);
    for counts in [counts(&buttress)[0], layer.handle().snapshot().counts] {
        assert_eq!(
            (counts.successes, counts.finished(), counts.in_flight()),
            (3, 3, 0)
        );
    }
}

#[tokio::test]
async fn a_status_counts_though_its_head_says_200() {
    for (code, cause) in [
        (Code::Unavailable, Some(Cause::Error)),
        (Code::DeadlineExceeded, Some(Cause::RemoteTimeout)),
        (Code::NotFound, None),
    ] {
        let address = Replica::always(Act::Fail(code, None)).serve().await;
        let (layer, mut client) = guarded(Policy::new(), &address);
        assert_eq!(client.count(item()).await.unwrap_err().code(), code);
        let counts = layer.handle().snapshot().counts;
        let failed = cause.map_or(0, |cause| counts.failures.of(cause));
        assert_eq!((failed, counts.successes), (u64::from(cause.is_some()), 0));
        assert_eq!(counts.caller_faults, u64::from(cause.is_none()));
    }
}

#[tokio::test]
async fn statuses_in_trailers_open_the_breaker_and_the_refusal_is_unavailable() {
    let replica = Replica::default();
    let address = replica.serve_with(heads_first(Rest::Status("14"))).await;
    let policy = Policy::new()
        .health(HealthPolicy::consecutive(3))
        .breaker(BreakerPolicy::new());
    let (layer, mut client) = guarded(policy, &address);
    for _ in 0..3 {
        client.count(item()).await.unwrap_err();
    }
    let refused = client.count(item()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(
        refused.message().starts_with("circuit open, next probe in"),
        "{refused}"
    );
    assert!(refused.metadata().contains_key("grpc-retry-pushback-ms"));
    let counts = layer.handle().snapshot().counts;
    assert_eq!((counts.failures.of(Cause::Error), counts.rejected), (3, 1));
}

#[tokio::test]
async fn what_fails_before_its_first_message_fails_over_if_it_is_vouched_for() {
    let cause = |rest| match rest {
        Rest::Status(_) => Cause::Error,
        _ => Cause::Protocol,
    };
    for rest in [Rest::Status("14"), Rest::Nothing] {
        let (hand, well) = (Replica::default(), Replica::default());
        let addresses = [hand.serve_with(heads_first(rest)).await, well.serve().await];
        let (buttress, mut client) = replicas(failover(), ALL, &addresses);
        for _ in 0..8 {
            assert_eq!(
                client.count(item()).await.unwrap().get_ref().count,
                7,
                "{rest:?}"
            );
        }
        let failed: u64 = counts(&buttress)
            .iter()
            .map(|one| one.failures.of(cause(rest)))
            .sum();
        let began: u64 = counts(&buttress).iter().map(|one| one.started).sum();
        assert_eq!((began, failed > 0), (8 + failed, true), "{rest:?}");
        // The same by the word of the caller alone.
        let (_, mut client) = replicas(failover(), buttress::Grpc, &addresses);
        for _ in 0..8 {
            let mut request = Request::new(item());
            request.extensions_mut().insert(Call::new().idempotent());
            client.count(request).await.unwrap();
        }
        // Nobody's word: it is passed on as it comes, and counted as it ends.
        let (buttress, mut client) = replicas(failover(), buttress::Grpc, &addresses[..1]);
        client.count(item()).await.unwrap_err();
        let counts = counts(&buttress)[0];
        assert_eq!((counts.started, counts.failures.of(cause(rest))), (1, 1));
    }
}

#[tokio::test]
async fn an_orderly_failure_fails_over_and_the_other_hears_of_it() {
    let (ill, well) = (
        Replica::always(Act::Fail(Code::Unavailable, None)),
        Replica::default(),
    );
    let addresses = [ill.serve().await, well.serve().await];
    let (_, mut client) = replicas(failover(), ALL, &addresses);
    for _ in 0..8 {
        client.count(item()).await.unwrap();
    }
    let extra = |metadata: &tonic::metadata::MetadataMap| {
        let said = metadata.get("grpc-previous-rpc-attempts");
        said.map(|said| said.to_str().unwrap().to_owned())
    };
    assert!(ill.seen().iter().all(|metadata| extra(metadata).is_none()));
    let heard = well.seen().iter().filter_map(extra).collect::<Vec<_>>();
    assert!(
        !heard.is_empty() && heard.iter().all(|said| said == "1"),
        "{heard:?}"
    );
    assert_eq!(heard.len(), ill.seen().len());
}

#[tokio::test]
async fn what_was_not_vouched_for_is_sent_once() {
    let ill = Replica::always(Act::Fail(Code::Unavailable, None));
    let also = Replica::always(Act::Fail(Code::Unavailable, None));
    let addresses = [ill.serve().await, also.serve().await];
    let (_, mut client) = replicas(failover(), buttress::Grpc, &addresses);
    assert_eq!(
        client.count(item()).await.unwrap_err().code(),
        Code::Unavailable
    );
    assert_eq!(ill.seen().len() + also.seen().len(), 1);
}

#[tokio::test]
async fn a_hung_replica_is_hedged() {
    let (hung, well) = (Replica::always(Act::Hang), Replica::default());
    let addresses = [hung.serve().await, well.serve().await];
    let hedge = Policy::new().redundancy(Redundancy::hedge_after(2, Duration::from_millis(20)));
    let (buttress, mut client) = replicas(hedge, ALL, &addresses);
    for _ in 0..4 {
        client.count(item()).await.unwrap();
    }
    let counts = counts(&buttress);
    assert_eq!(counts.iter().map(|one| one.successes).sum::<u64>(), 4);
    assert_eq!(counts.iter().map(|one| one.in_flight()).sum::<u64>(), 0);
}

#[tokio::test]
async fn a_quorum_does_not_count_a_failing_status() {
    let fails = Replica::default();
    let status = fails.serve_with(heads_first(Rest::Status("14"))).await;
    let (one, other) = (
        Replica::default().serve().await,
        Replica::default().serve().await,
    );
    let policy = Policy::new()
        .redundancy(Redundancy::quorum(2, 3))
        .extra_load(Ratio::percent(200));
    let (_, mut client) = replicas(policy, ALL, &[status.clone(), one.clone(), other]);
    client.count(item()).await.unwrap();
    let also = fails.serve_with(heads_first(Rest::Status("14"))).await;
    let (_, mut client) = replicas(policy, ALL, &[status, one, also]);
    let refused = client.count(item()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.message().contains("endpoints agree"), "{refused}");
}

#[tokio::test]
async fn something_else_stands_in_for_a_failing_status() {
    let replica = Replica::always(Act::Fail(Code::Unavailable, None));
    let well = Replica::default().serve().await;
    // One fails in its head, the other in trailers: the dispatch that the fallback is over has looked for them.
    let ill = [
        replica.serve().await,
        replica.serve_with(heads_first(Rest::Status("14"))).await,
    ];
    for address in [&ill[0], &ill[1], &well] {
        let (buttress, _) = replicas(failover(), ALL, &[]);
        let ask = |address: &String| {
            let endpoints = fixed([address.as_str()]).unwrap();
            let connect = |endpoint: &Endpoint| channel(endpoint.address());
            buttress
                .dispatch("inventory", ALL, endpoints, connect)
                .unwrap()
        };
        let other = instead::service(ask(&well));
        let layer = buttress.fallback("inventory", ALL, other).unwrap();
        let mut client = InventoryClient::new(layer.layer(ask(address)));
        assert_eq!(client.count(item()).await.unwrap().get_ref().count, 7);
    }
}
