//! What the layers are worth: three replicas, four clients, five faults, one table.
//!
//! ```text
//! cargo run --release --example demo
//! ```
//!
//! Replicas are processes of their own; the faults are real (`kill -9`, `SIGSTOP`, a closed listener). All clients
//! send at the same instants, whether or not earlier calls have returned, and latency counts from those instants.
//! Unix only, for its signals.

mod clients;
mod faults;
mod fleet;
mod options;
mod replica;
mod report;
mod traffic;
mod watch;

use std::{
    env, error::Error, ffi::OsString, fs::File, io::Write as _, path::Path, process::ExitCode,
    sync::Arc,
};

use buttress::CLOCK;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    clients::{Client, Clients},
    faults::Slot,
    fleet::Fleet,
    options::{Asked, Options},
    report::Report,
    traffic::Samples,
    watch::{Watch, say},
};

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Ended by a signal, as shells report it.
const INTERRUPTED: u8 = 130;
const WRONG_USE: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    if let [first, rest @ ..] = arguments.as_slice()
        && first == replica::ARGUMENT
    {
        return replica::main(rest);
    }
    match Options::parse(arguments) {
        Ok(Asked::Help) => {
            say(options::HELP);
            ExitCode::SUCCESS
        }
        Ok(Asked::Run(options)) => run(&options),
        Err(wrong) => {
            eprintln!("demo: {wrong}; --help lists the options");
            ExitCode::from(WRONG_USE)
        }
    }
}

#[tokio::main]
async fn run(options: &Options) -> ExitCode {
    // Whatever ends this, a signal or a panic included, drops the story, and with it the fleet and its processes.
    let ended = tokio::select! {
        biased;
        interrupted = interrupted() => match interrupted {
            Ok(()) => {
                say("\ninterrupted: replicas stopped, no result");
                return ExitCode::from(INTERRUPTED);
            }
            Err(error) => Err(error),
        },
        ended = story(options) => ended,
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn interrupted() -> Fallible<()> {
    let [mut int, mut term, mut hup] = [
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
        signal(SignalKind::hangup())?,
    ];
    tokio::select! { _ = int.recv() => (), _ = term.recv() => (), _ = hup.recv() => () }
    Ok(())
}

/// The whole run. Did the guarded clients do better under every fault, and was it rightly said what it was?
async fn story(options: &Options) -> Fallible<bool> {
    let mut json = options.json.as_deref().map(created).transpose()?;
    let mut fleet = Fleet::start()?;
    let buttress = clients::policies();
    let clients = Clients::new(&buttress, &fleet.addresses())?;
    // What is known of a replica is kept for as long as somebody can call it.
    let _kept = clients.clone();
    introduce(options, &fleet);

    let samples = Arc::new(Samples::default());
    let begin = CLOCK.now();
    let slots = Slot::plan(begin, options.run);
    let mut watch = Watch::new(
        buttress.clone(),
        fleet.addresses(),
        begin,
        Arc::clone(&samples),
    );
    let traffic = tokio::spawn(traffic::drive(
        clients,
        buttress.clone(),
        slots.clone(),
        options.rate,
        samples.clone(),
    ));
    let strikes = async {
        let mut struck = Vec::new();
        for slot in &slots {
            struck.push(strike(slot, &mut fleet, &mut watch).await?);
        }
        Fallible::Ok(struck)
    };
    // Whichever fails ends the other: without traffic there is nothing to see.
    let (struck, sent) = tokio::try_join!(strikes, async { traffic.await? })?;
    watch.look();

    let snapshots = buttress.registry().snapshot(CLOCK.now());
    let report = Report::new(
        &slots,
        &struck,
        &watch.events,
        &samples.take(),
        &sent,
        &snapshots,
        &fleet.addresses(),
    );
    say(format_args!("\n{report}"));
    if let Some(file) = &mut json {
        writeln!(file, "{:#}", report.json())
            .map_err(|error| format!("the figures were not written: {error}"))?;
    }
    Ok(report.better() && report.right())
}

/// Made before the run: where nothing can be written is known at once, not a minute later.
fn created(path: &Path) -> Fallible<File> {
    File::create(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// One fault, from the calm before it to the recovery after it.
async fn strike(slot: &Slot, fleet: &mut Fleet, watch: &mut Watch) -> Fallible<faults::Struck> {
    let replica = fleet::NAMES[slot.replica];
    watch.until(slot.strikes).await;
    let from = CLOCK.now();
    watch.tell(
        from,
        &format!("▼ {replica} {:<8} {}", slot.fault.name(), slot.fault.does()),
    );
    slot.fault.strike(fleet.replica(slot.replica))?;
    watch.until(slot.heals).await;
    let to = CLOCK.now();
    slot.fault.heal(fleet.replica(slot.replica))?;
    watch.tell(
        to,
        &format!(
            "▲ {replica} {:<8} {}",
            slot.fault.name(),
            slot.fault.undoes()
        ),
    );
    watch.until(slot.ends).await;
    Ok(faults::Struck { from, to })
}

fn introduce(options: &Options, fleet: &Fleet) {
    say(format_args!(
        "replicas    {fleet}, each answering after 15 to 25 ms"
    ));
    for client in Client::ALL {
        say(format_args!("{:<11} {}", client.name(), client.says()));
    }
    say(format_args!("all but one {}", clients::policy_says()));
    let means = clients::policy_means(options.rate as f64);
    say(format_args!("which means {means}"));
    say(format_args!(
        "traffic     {} calls/s through each, for {} s; latency counts from when a call was due\n",
        options.rate,
        options.run.as_secs()
    ));
}
