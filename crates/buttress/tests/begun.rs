//! Answers that can be judged only when more of them has come.
#![expect(clippy::unwrap_used, reason = "what a test takes for granted")]

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use buttress::{
    Buttress, Cause, Describe, Dispatch, Endpoint, Outcome, Policy, Protocol, Ratio, Receipt,
    Redundancy, Refusal, Resend, fixed,
};
use tokio::time::{Sleep, sleep};
use tower::{BoxError, Service, ServiceExt as _, service_fn};

/// An answer whose head is there at once, and the rest after a while.
struct Answer {
    word: &'static str,
    rest: Pin<Box<Sleep>>,
    begun: bool,
}

/// Judges by the rest. `true`: requests may be handled twice.
#[derive(Clone, Copy, Debug)]
struct Late(bool);

impl Protocol<Answer, BoxError> for Late {
    type Response = (&'static str, bool);
    type Error = BoxError;

    fn classify(&self, result: Result<&Answer, &BoxError>) -> Outcome {
        match result {
            Ok(answer) if !answer.begun => Outcome::Success,
            Ok(Answer { word: "bad", .. }) | Err(_) => Outcome::Failure(Cause::Error),
            Ok(Answer { word: "never", .. }) => Outcome::NOT_AGAIN,
            Ok(_) => Outcome::Success,
        }
    }

    fn poll_begun(&self, answer: &mut Answer, cx: &mut Context<'_>) -> Poll<()> {
        answer.begun = answer.rest.as_mut().poll(cx).is_ready();
        if answer.begun {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn respond(&self, answer: Answer, _: Receipt) -> Self::Response {
        (answer.word, answer.begun)
    }

    fn fail(&self, error: BoxError) -> BoxError {
        error
    }

    fn refuse(&self, refusal: Refusal) -> Result<Self::Response, BoxError> {
        Err(refusal.into())
    }
}

impl Resend<()> for Late {
    fn idempotent(&self, (): &()) -> bool {
        self.0
    }

    fn copy(&self, (): &mut ()) -> Option<()> {
        Some(())
    }
}

impl Describe<()> for Late {}

type Script = [(&'static str, u64)];

/// What the endpoints, asked in this order, say, and after how many milliseconds.
fn scripted(
    policy: Policy,
    protocol: Late,
    script: &Script,
) -> Dispatch<
    impl Service<(), Response = Answer, Error = BoxError, Future: Send> + Clone + Send + 'static,
    Late,
> {
    let script = Arc::new(Mutex::new(script.iter().copied().collect::<VecDeque<_>>()));
    let buttress = Buttress::new().policy("x", policy);
    let connect = move |_: &Endpoint| {
        let script = Arc::clone(&script);
        service_fn(move |()| {
            let next = script.lock().unwrap().pop_front();
            async move {
                let (word, after) = next.expect("no more is sent than the script has");
                Ok::<_, BoxError>(Answer {
                    word,
                    rest: Box::pin(sleep(Duration::from_millis(after))),
                    begun: false,
                })
            }
        })
    };
    let endpoints = fixed(["a", "b", "c"]).unwrap();
    buttress
        .dispatch("x", protocol, endpoints, connect)
        .unwrap()
}

async fn ask(
    policy: Policy,
    protocol: Late,
    script: &Script,
) -> Result<(&'static str, bool), BoxError> {
    scripted(policy, protocol, script).oneshot(()).await
}

fn policy(redundancy: Redundancy) -> Policy {
    Policy::new()
        .redundancy(redundancy)
        .extra_load(Ratio::new(f64::from(redundancy.always_extra().max(1))))
}

#[tokio::test(start_paused = true)]
async fn what_fails_before_it_begins_is_made_good() {
    for redundancy in [
        Redundancy::failover(3),
        Redundancy::hedge_after(3, Duration::from_secs(1)),
    ] {
        let script = [("bad", 5), ("bad", 0), ("good", 5)];
        let answer = ask(policy(redundancy), Late(true), &script).await;
        assert_eq!(answer.unwrap(), ("good", true), "{redundancy}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_sent_again_is_passed_on_as_it_begins() {
    let script = [("bad", 5)];
    let answer = ask(policy(Redundancy::failover(3)), Late(false), &script).await;
    assert_eq!(answer.unwrap(), ("bad", false));
    let answer = ask(policy(Redundancy::None), Late(true), &script).await;
    assert_eq!(answer.unwrap(), ("bad", false));
}

#[tokio::test(start_paused = true)]
async fn a_head_alone_does_not_win() {
    let hedge = policy(Redundancy::hedge_after(2, Duration::from_millis(10)));
    let script = [("slow", 60_000), ("good", 5)];
    assert_eq!(
        ask(hedge, Late(true), &script).await.unwrap(),
        ("good", true)
    );
    let race = policy(Redundancy::race(2));
    let script = [("bad", 5), ("good", 10)];
    assert_eq!(
        ask(race, Late(true), &script).await.unwrap(),
        ("good", true)
    );
    let quorum = policy(Redundancy::quorum(2, 3));
    let script = [("good", 1), ("bad", 2), ("good", 3)];
    assert_eq!(
        ask(quorum, Late(true), &script).await.unwrap(),
        ("good", true)
    );
}

#[tokio::test(start_paused = true)]
async fn the_time_of_an_attempt_covers_it() {
    let policy = policy(Redundancy::failover(2)).attempt_timeout(Duration::from_millis(50));
    let script = [("hung", 60_000), ("good", 5)];
    let answer = ask(policy, Late(true), &script).await;
    assert_eq!(answer.unwrap(), ("good", true));
}

#[tokio::test(start_paused = true)]
async fn who_forbids_it_ends_it_whatever_is_under_way() {
    let script = [("never", 5)];
    let answer = ask(policy(Redundancy::failover(3)), Late(true), &script).await;
    assert_eq!(answer.unwrap(), ("never", true));
    // One is under way and fails after it was forbidden: no third is sent.
    let hedge = policy(Redundancy::hedge_after(3, Duration::from_millis(10)));
    let script = [("bad", 50), ("never", 5)];
    let answer = ask(hedge, Late(true), &script).await;
    assert_eq!(answer.unwrap(), ("bad", true));
}
