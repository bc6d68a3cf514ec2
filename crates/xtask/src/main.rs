//! The project's own commands.

mod deps;
mod install;
mod run;
mod summary;
mod test;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask test     install what the tests need, and run every test a merge needs
cargo xtask deps     check the dependency rules
cargo xtask verify   the longer tests: more cases, ignored ones, optimized
";

fn main() -> ExitCode {
    let command = std::env::args().nth(1);
    let done = match command.as_deref() {
        Some("test") => test::merge(),
        Some("verify") => test::verify(),
        Some("deps") => deps::check(),
        None | Some("--help" | "-h" | "help") => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Some(unknown) => {
            eprint!("xtask: no command {unknown:?}. There are:\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("xtask: {problem}");
            ExitCode::FAILURE
        }
    }
}
