//! The project's own commands.

mod deps;
mod install;
mod run;
mod summary;
mod test;
mod trouble;

use std::process::ExitCode;

use self::trouble::{Done, Trouble};

const HELP: &str = "\
cargo xtask test     install what the tests need, and run every test a merge needs
cargo xtask deps     check the dependency rules
cargo xtask verify   the longer tests too: more cases, ignored ones, optimized, longer models
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("xtask: {trouble}");
            trouble.code()
        }
    }
}

fn run() -> Done {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next();
    if let Some(more) = arguments.next() {
        return Err(Trouble::Misused(format!(
            "{more:?} is one word too many. There are:\n{HELP}"
        )));
    }
    match command.as_deref() {
        Some("test") => test::merge(),
        Some("verify") => test::verify(),
        Some("deps") => deps::check(),
        None | Some("--help" | "-h" | "help") => {
            print!("{HELP}");
            Ok(())
        }
        Some(unknown) => Err(Trouble::Misused(format!(
            "no command {unknown:?}. There are:\n{HELP}"
        ))),
    }
}
