//! Policies from files.

use std::time::Duration;

use buttress::{
    AdaptivePolicy, BreakerPolicy, Buttress, EwmaPolicy, Growth, HealthPolicy, LimitPolicy,
    PhiPolicy, Policy, RatePolicy, Ratio, Redundancy, Rhythm, ShedPolicy, SlowPolicy, TrialPolicy,
    Window,
};

#[test]
fn a_file_and_a_builder_say_the_same() {
    let built = Buttress::new().policy("orders", Policy::new()).policy(
        "inventory",
        Policy::new()
            .deadline(Duration::from_secs(1))
            .attempt_timeout(Duration::from_millis(250))
            .redundancy(Redundancy::failover(3))
            .extra_load(Ratio::new(0.25))
            .peak_load(Ratio::new(0.6))
            .resets(1_000)
            .health(HealthPolicy::consecutive(7))
            .breaker(
                BreakerPolicy::new()
                    .open_for(Duration::from_secs(1))
                    .up_to(Duration::from_secs(60))
                    .close_after(5),
            ),
    );
    let read: Buttress = toml::from_str(
        r#"
        [policy.orders]

        [policy.inventory]
        deadline        = "1s"
        attempt_timeout = "250ms"
        redundancy      = { failover = 3 }
        extra_load      = 0.25
        peak_load       = 0.6
        resets          = 1000
        health          = { consecutive = 7 }
        breaker         = { open_for = "1s", up_to = "1m", close_after = 5 }
        "#,
    )
    .unwrap();
    assert_eq!(read, built);
}

#[test]
fn every_health_rule_reads_as_it_is_built() {
    let seconds = Duration::from_secs;
    let rate = RatePolicy::new();
    for (text, built) in [
        (
            "{ consecutive_by_origin = 7 }",
            HealthPolicy::consecutive_by_origin(7),
        ),
        ("{ rate = {} }", HealthPolicy::rate(rate)),
        (
            r#"{ rate = { window = { calls = 100 }, failures = 0.25, split_origins = true } }"#,
            HealthPolicy::rate(
                rate.window(Window::Calls(100))
                    .failures(Ratio::new(0.25))
                    .split_origins(true),
            ),
        ),
        (
            r#"{ rate = { window = { span = "30s" }, at_least = 100, slow = { after = "1s" } } }"#,
            HealthPolicy::rate(
                rate.window(Window::Span(seconds(30)))
                    .at_least(100)
                    .slow(SlowPolicy::after(seconds(1))),
            ),
        ),
        (
            r#"{ rate = { slow = { after = "1s", over = 0.5 } } }"#,
            HealthPolicy::rate(rate.slow(SlowPolicy::after(seconds(1)).over(Ratio::percent(50)))),
        ),
        (
            r#"{ ewma = { window = { span = "1m" }, required = 0.95, at_least = 10 } }"#,
            HealthPolicy::ewma(
                EwmaPolicy::new()
                    .window(Window::Span(seconds(60)))
                    .required(Ratio::new(0.95))
                    .at_least(10),
            ),
        ),
        (
            r#"{ phi = { rhythm = "periodic", threshold = 12.0, samples = 200, pause = "0s" } }"#,
            HealthPolicy::phi(
                PhiPolicy::new()
                    .rhythm(Rhythm::Periodic)
                    .threshold(12.0)
                    .samples(200)
                    .pause(Duration::ZERO),
            ),
        ),
    ] {
        let built = Policy::new().health(built);
        let read: Policy = toml::from_str(&format!("health = {text}")).unwrap();
        assert_eq!(read, built, "{text}");
        let written = toml::to_string(&built).unwrap();
        assert_eq!(
            toml::from_str::<Policy>(&written).unwrap(),
            built,
            "{written}"
        );
    }
}

#[test]
fn a_limit_from_a_file_is_the_limit_from_code() {
    for (text, built) in [
        ("{ concurrency = 100 }", LimitPolicy::concurrency(100)),
        (
            r#"{ concurrency = 100, wait = "50ms", queue = 64 }"#,
            LimitPolicy::concurrency(100)
                .wait(Duration::from_millis(50))
                .queue(64),
        ),
        (
            r#"{ concurrency = 100, wait = "1s", shed = {} }"#,
            LimitPolicy::concurrency(100)
                .wait(Duration::from_secs(1))
                .shed(ShedPolicy::new()),
        ),
        (
            r#"{ adaptive = {}, wait = "50ms" }"#,
            LimitPolicy::adaptive(AdaptivePolicy::new()).wait(Duration::from_millis(50)),
        ),
        (
            r#"{ concurrency = 200, adaptive = { initial = 30, least = 5, buffer = 0.5, remeasure = "30s" } }"#,
            LimitPolicy::adaptive(
                AdaptivePolicy::new()
                    .initial(30)
                    .least(5)
                    .buffer(Ratio::percent(50))
                    .remeasure(Duration::from_secs(30)),
            )
            .at_most(200),
        ),
    ] {
        let built = Policy::new().limit(built);
        let read: Policy = toml::from_str(&format!("limit = {text}")).unwrap();
        assert_eq!(read, built, "{text}");
        let written = toml::to_string(&built).unwrap();
        assert_eq!(toml::from_str::<Policy>(&written).unwrap(), built);
    }
}

#[test]
fn a_policy_survives_its_text() {
    for (redundancy, extra) in [
        (Redundancy::None, 0.1),
        (Redundancy::failover(2), 0.1),
        (Redundancy::hedge(2), 0.03),
        (Redundancy::hedge_after(3, Duration::from_millis(50)), 0.03),
        (Redundancy::race(2), 1.0),
        (Redundancy::quorum(2, 3), 2.0),
    ] {
        let policy = Policy::new()
            .deadline(Duration::from_millis(1_500))
            .redundancy(redundancy)
            .extra_load(Ratio::new(extra));
        let text = toml::to_string(&policy).unwrap();
        assert_eq!(toml::from_str::<Policy>(&text).unwrap(), policy, "{text}");
        let said: Redundancy =
            toml::from_str::<toml::Table>(&format!("it = {}", quoted(redundancy))).unwrap()["it"]
                .clone()
                .try_into()
                .unwrap();
        assert_eq!(said, redundancy, "as an error prints it");
    }

    fn quoted(redundancy: Redundancy) -> String {
        match redundancy {
            Redundancy::None => "\"none\"".into(),
            other => other.to_string(),
        }
    }
}

#[test]
fn a_file_that_cannot_be_names_the_field_and_what_would_do() {
    for (text, words) in [
        ("deadline = \"0s\"", ["deadline", "1ms to 24h"]),
        ("deadline = 1", ["integer `1`", "250ms"]),
        (
            "limit = { concurrency = 0 }",
            ["limit.concurrency = 0", "1 to 1000000"],
        ),
        (
            "limit = { concurrency = 9, shed = {} }",
            ["limit.shed.target = 20ms", "limit.wait beside it"],
        ),
        (
            "limit = { concurrency = 9, wait = \"20ms\", shed = {} }",
            ["limit.shed.target = 20ms", "less than limit.wait"],
        ),
        (
            "limit = { wait = \"1s\" }",
            ["limit.concurrency = none", "or limit.adaptive"],
        ),
        (
            "limit = { concurrency = 9, adaptive = { least = 10 } }",
            ["limit.adaptive.least = 10", "limit.concurrency, 9"],
        ),
        (
            "limit = { concurrency = 9, queue = 9 }",
            ["limit.queue = 9", "limit.wait beside it"],
        ),
        ("enforce = 25", ["integer `25`", "25%"]),
        ("enforce = { health = 25 }", ["integer `25`", "25%"]),
        ("enforce = { pears = \"on\" }", ["pears", "peers"]),
        ("deadline = \"1 fortnight\"", ["fortnight", "250ms"]),
        ("deadline = \"99999999h\"", ["deadline", "at most 24h"]),
        (
            "deadline = \"1s\"\nattempt_timeout = \"2s\"",
            ["deadline", "attempt_timeout"],
        ),
        (
            "redundancy = { failover = 0 }",
            ["redundancy.failover", "1 to 10"],
        ),
        ("redundancy = { failover = -1 }", ["-1", "failover"]),
        (
            "redundancy = { hedge = 1 }",
            ["redundancy.hedge", "2 to 10"],
        ),
        ("redundancy = { hedge = -1 }", ["-1", "2 to 10"]),
        ("redundancy = { hedge = \"soon\" }", ["soon", "after"]),
        ("redundancy = { race = 2 }", ["extra_load", "1 to 9"]),
        (
            "redundancy = { quorum = { agree = 4, of = 3 } }\nextra_load = 2.0",
            ["redundancy.quorum.agree", "1 to"],
        ),
        ("extra_load = 1.5", ["extra_load", "0 to 1"]),
        (
            "redundancy = { failover = 3 }\npeak_load = 0.95",
            ["extra_load = 0.1", "less than 0.052"],
        ),
        ("peak_load = 1.0", ["peak_load = 1", "less than 1"]),
        ("caller_share = 0.0", ["caller_share", "above 0"]),
        (
            "deadline = \"2ms\"\nredundancy = { failover = 3 }",
            ["deadline = 2ms", "each of 3 attempts"],
        ),
        ("pick = { subset = 0 }", ["pick.subset", "at least 1"]),
        ("extra_load = nan", ["extra_load", "0 to 1"]),
        (
            "health = { consecutive = 0 }",
            ["health.consecutive", "at least 1"],
        ),
        (
            "health = { rate = { failures = 0 } }",
            ["health.rate.failures", "above 0"],
        ),
        (
            "health = { rate = { window = { calls = 10 } } }",
            ["health.rate.at_least", "window.calls, 10"],
        ),
        (
            "health = { rate = { window = { calls = 10, span = \"1s\" } } }",
            ["health", "window"],
        ),
        (
            "health = { rate = { window = { minutes = 1 } } }",
            ["minutes", "span"],
        ),
        (
            "health = { ewma = { required = nan } }",
            ["health.ewma.required", "above 0"],
        ),
        (
            "health = { phi = { threshold = inf } }",
            ["health.phi.threshold", "0.1 to 100"],
        ),
        (
            "health = { phi = { treshold = 8.0 } }",
            ["treshold", "threshold"],
        ),
        (
            "breaker = { open_for = \"10s\", up_to = \"5s\" }",
            ["breaker.up_to", "breaker.open_for"],
        ),
        (
            "breaker = { opens_for = \"1s\" }",
            ["opens_for", "open_for"],
        ),
        ("deadlin = \"1s\"", ["deadlin", "deadline"]),
    ] {
        let error = toml::from_str::<Policy>(text).unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}

/// The blocks of the page on files, without comments; keys that have no default are commented out there.
fn documented(uncommented: bool) -> Vec<String> {
    include_str!("../crates/buttress/src/docs/config.md")
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("```"))
        .map(|(block, _)| match uncommented {
            true => block.replace("\n# ", "\n"),
            false => block.to_owned(),
        })
        .collect()
}

#[test]
fn every_classic_recovery_reads_as_it_is_built() {
    let seconds = Duration::from_secs;
    for (text, built) in [
        (
            r#"{ open_for = "1m", growth = { times = 1.0 }, jitter = 0.0, trial = { rate = { failures = 0.5, of = 10 } }, up_to = "1m" }"#,
            BreakerPolicy::resilience4j(),
        ),
        (
            r#"{ open_for = "5s", growth = { times = 1.0 }, jitter = 0.0, close_after = 1, up_to = "5s" }"#,
            BreakerPolicy::polly(),
        ),
        (
            r#"{ open_for = "30s", up_to = "5m", growth = "linear", undone_in = "10s", jitter = 0.0, trial = "untried" }"#,
            BreakerPolicy::envoy(),
        ),
        (
            r#"{ open_for = "1s", growth = { times = 1.6 }, trial = { k_of_n = { good = 3, of = 4 } } }"#,
            BreakerPolicy::new()
                .open_for(seconds(1))
                .growth(Growth::Times(1.6))
                .trial(TrialPolicy::KOfN { good: 3, of: 4 }),
        ),
    ] {
        let read: Policy = toml::from_str(&format!("breaker = {text}")).unwrap();
        assert_eq!(read, Policy::new().breaker(built), "{text}");
        let written = toml::to_string(&read).unwrap();
        assert_eq!(toml::from_str::<Policy>(&written).unwrap(), read);
    }
    for (text, field) in [
        (
            r#"{ trial = { k_of_n = { good = 5, of = 4 } } }"#,
            "breaker.trial.k_of_n.good",
        ),
        (
            r#"{ trial = { rate = { failures = 0.0, of = 4 } } }"#,
            "breaker.trial.rate.failures",
        ),
        (
            r#"{ trial = { rate = { failures = 0.5, of = 0 } } }"#,
            "breaker.trial.rate.of",
        ),
        (r#"{ trial = "untried", close_after = 1 }"#, "breaker.trial"),
        (
            r#"{ trial = "untried", ramp = { from = 0.1, factor = 2.0 } }"#,
            "breaker.trial",
        ),
        (r#"{ growth = { times = 0.5 } }"#, "breaker.growth.times"),
        (r#"{ jitter = 1.5 }"#, "breaker.jitter"),
        (r#"{ undone_in = "0s" }"#, "breaker.undone_in"),
    ] {
        let error = toml::from_str::<Policy>(&format!("breaker = {text}")).unwrap_err();
        assert!(
            error.to_string().contains(&format!("{field} =")),
            "{text}: {error}"
        );
    }
}

#[test]
fn the_page_on_files_names_every_key_and_its_default() {
    let [policy, rules] = &documented(false)[..] else {
        panic!("two blocks")
    };
    let read: Buttress = toml::from_str(policy).unwrap();
    assert_eq!(read, Buttress::new().policy("inventory", Policy::new()));
    for line in rules.lines() {
        let read: Policy = toml::from_str(line).unwrap();
        let defaults: &[HealthPolicy] = &[
            HealthPolicy::consecutive(5),
            HealthPolicy::consecutive_by_origin(5),
            HealthPolicy::rate(RatePolicy::new()),
            HealthPolicy::rate(RatePolicy::new().slow(SlowPolicy::after(Duration::from_secs(1)))),
            HealthPolicy::ewma(EwmaPolicy::new()),
            HealthPolicy::phi(PhiPolicy::new()),
        ];
        let known = defaults
            .iter()
            .any(|rule| read == Policy::new().health(*rule));
        assert!(known, "{line}");
    }
    // There is one way back: whichever it is, the page says it rightly.
    let ways = ["close_after", "trial", "ramp"];
    for way in ways {
        let others = ways.into_iter().filter(|other| *other != way);
        let text = others.fold(documented(true)[0].clone(), |text, other| {
            text.replacen(&format!("\n{other}"), "\n# ", 1)
        });
        assert!(text.contains(&format!("\n{way}")));
        toml::from_str::<Buttress>(&text).unwrap();
    }
}

#[test]
fn the_page_on_files_leaves_no_key_out() {
    let [policy, _] = &documented(true)[..] else {
        panic!("two blocks")
    };
    let unknown = toml::from_str::<Policy>("nothing = 1")
        .unwrap_err()
        .to_string();
    let parts = ["breaker", "ejection", "pick", "probe", "throttle"].map(|part| {
        toml::from_str::<Policy>(&format!("{part} = {{ nothing = 1 }}"))
            .unwrap_err()
            .to_string()
    });
    for error in parts.iter().chain([&unknown]) {
        let (_, keys) = error.split_once("expected").unwrap();
        for key in keys.split('`').skip(1).step_by(2) {
            let is_there =
                policy.contains(&format!("\n{key} = ")) || policy.contains(&format!(".{key}]"));
            assert!(is_there, "{key}");
        }
    }
}
