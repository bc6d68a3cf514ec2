use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use buttress_core::{Cause, Destination, Events, HealthPolicy, Host, Nanos, Outcome, Rules};

use super::*;

static NOW: AtomicU64 = AtomicU64::new(0);

fn serving(registry: Registry) -> Serving {
    let clock = Clock(|| Nanos::new(NOW.load(Ordering::SeqCst)));
    Serving::new(clock, registry, ["db"])
}

fn registry() -> Registry {
    Registry::new(Arc::new(Events::new(8, |_| {})))
}

fn down(name: &str, registry: &Registry) -> (Destination, buttress_core::Vitals) {
    let rules = Rules {
        health: HealthPolicy::consecutive(1),
        ..Rules::default()
    };
    let host = Host {
        registry: registry.clone(),
        ..Host::new(Clock(|| Nanos::ZERO))
    };
    let destination = Destination::new(name, &rules, &host);
    let vitals = destination.alone();
    let attempt = vitals.admit().unwrap();
    attempt.finish(Outcome::Failure(Cause::Error));
    (destination, vitals)
}

#[test]
fn what_it_depends_on_fails_readiness_where_it_is_required_and_liveness_never() {
    for (name, ready) in [("mail", true), ("db", false)] {
        let registry = registry();
        let serving = serving(registry.clone());
        assert!(serving.is_ready(), "nothing is known yet");
        let _down = down(name, &registry);
        assert_eq!((serving.is_ready(), serving.is_live()), (ready, true));
        let text = serving.readiness().text(true);
        let said = format!("[-]{name} failed: 0 of 1 take calls");
        assert!(text.contains(&said), "{text}");
    }
}

#[test]
fn local_things_fail_the_page_they_belong_to() {
    let serving = serving(registry());
    let (full, sane) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(true)),
    );
    let read = |flag: &Arc<AtomicBool>| {
        let flag = Arc::clone(flag);
        move || flag.load(Ordering::SeqCst)
    };
    serving.ready_while("cache", read(&full));
    serving.lives_while("sane", read(&sane));
    assert_eq!((serving.is_ready(), serving.is_live()), (false, true));
    full.store(true, Ordering::SeqCst);
    sane.store(false, Ordering::SeqCst);
    assert_eq!((serving.is_ready(), serving.is_live()), (true, false));
}

#[test]
fn a_heart_that_stops_fails_liveness_until_it_beats_or_is_retired() {
    let serving = serving(registry());
    let heart = serving.heartbeat("poller", Duration::from_nanos(10));
    assert!(serving.is_live());
    NOW.fetch_add(11, Ordering::SeqCst);
    assert!(!serving.is_live() && serving.is_ready());
    heart.beat();
    assert!(serving.is_live());
    NOW.fetch_add(11, Ordering::SeqCst);
    assert!(!serving.is_live());
    heart.retire();
    assert!(serving.is_live());
    drop(serving.heartbeat("worker", Duration::from_nanos(10)));
    NOW.fetch_add(11, Ordering::SeqCst);
    assert!(!serving.is_live(), "dropped is not retired");
}

#[test]
fn services_by_name() {
    let serving = serving(registry());
    let is = |name| serving.status(name);
    assert_eq!((is(""), is("a.A")), (Status::Serving, Status::Unknown));
    serving.offer("a.A");
    serving.withdraw("b.B");
    assert_eq!(
        (is("a.A"), is("b.B")),
        (Status::Serving, Status::NotServing)
    );
    serving.offer("b.B");
    assert_eq!(is("b.B"), Status::Serving);
    serving.drain();
    assert_eq!(
        (is(""), is("a.A")),
        (Status::NotServing, Status::NotServing)
    );
    assert_eq!(is("c.C"), Status::Unknown);
}
