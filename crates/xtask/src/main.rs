//! The project's own commands.

mod deps;
mod install;
mod run;
mod steps;
mod summary;
mod test;
mod trouble;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask test     install what the tests need, then run every test a merge needs
cargo xtask verify   the same, then the longer ones: optimized, ignored tests too, more cases
cargo xtask deps     check who may depend on what

Exit code: 0 all holds, 1 a test failed or a rule is broken, 2 no such command, 3 it could not be found out.
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["test"] => test::merge(),
        ["verify"] => test::verify(),
        ["deps"] => trouble::told(&deps::check()),
        [] | ["--help" | "-h" | "help"] => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        _ => {
            eprint!(
                "xtask: there is no command `{}`; there are:\n{HELP}",
                words.join(" ")
            );
            ExitCode::from(2)
        }
    }
}
