//! A healthy service for days: is what is learned of it still right at the end?

use std::time::Duration;

use crate::{draws::Plan, figure::Figure, policy, report::Report, world::World};

/// The share of calls that fails: well below what is tolerable.
const BASE: f64 = 0.005;

const HOUR: Duration = Duration::from_secs(3_600);

/// When it is looked at, in hours.
const AT: [u32; 3] = [1, 8, 24];

/// What one stream saw by then.
#[derive(Clone, Copy, Default)]
struct Seen {
    age: f64,
    late: u64,
    calls: u64,
}

pub(crate) fn measure(report: &mut Report, plan: Plan) -> Result<(), String> {
    let rules = policy::rules();
    let streams = plan.streams("day", |random| {
        let mut world = World::new(&rules, BASE, random);
        let (mut hours, mut alarms) = (0, 0);
        let seen = AT.map(|at| {
            // Of the last hour, and not of all before.
            alarms += world.passes(HOUR * (at - 1 - hours));
            let (late, calls) = (world.late, world.calls);
            alarms += world.passes(HOUR);
            hours = at;
            Seen {
                age: world.age().map_or(f64::NAN, |age| age.as_secs_f64() * 1e3),
                late: world.late - late,
                calls: world.calls - calls,
            }
        });
        (seen, alarms, world.calls)
    });
    let count = streams.len() as f64;
    for (index, at) in AT.into_iter().enumerate() {
        let seen = || streams.iter().map(|(seen, ..)| seen[index]);
        let mean = seen().map(|seen| seen.age).sum::<f64>() / count;
        let (late, calls) = (
            seen().map(|one| one.late).sum(),
            seen().map(|one| one.calls).sum(),
        );
        report.add(
            &format!("day.age_ms_{at}h"),
            Some(Figure {
                calls,
                ..Figure::exact(mean)
            }),
        );
        report.add(
            &format!("day.late_{at}h"),
            Figure::share(late, calls, calls),
        );
    }
    let calls = streams.iter().map(|(.., calls)| calls).sum();
    let alarms = streams.iter().map(|(_, alarms, _)| alarms).sum();
    report.add("day.false_trips", Some(Figure::count(alarms, calls)));
    Ok(())
}
