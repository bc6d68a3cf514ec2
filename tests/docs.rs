//! What the documentation shows of programs is in them.

use std::{fs, path::Path};

/// Whatever rustfmt may put otherwise is left out: spaces, braces, commas at an end.
fn bare(code: &str) -> String {
    let kept = |letter: &char| !letter.is_whitespace() && !"{}".contains(*letter);
    let code: String = code.chars().filter(kept).collect();
    [",)", ",]"]
        .iter()
        .fold(code, |code, ends| code.replace(ends, &ends[1..]))
}

/// The snippets that begin by saying which program they are from, and that name.
fn snippets(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut blocks = text.split("```");
    while let (Some(_), Some(block)) = (blocks.next(), blocks.next()) {
        let mut lines = block.lines().skip(1);
        let from = lines.next().and_then(|line| line.strip_prefix("// "));
        if let Some(from) = from.filter(|from| from.ends_with(".rs")) {
            found.push((from.to_owned(), lines.collect::<Vec<_>>().join("\n")));
        }
    }
    found
}

#[test]
fn snippets_are_in_the_programs_they_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("crates/buttress/src/docs");
    let mut pages: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    pages.push(root.join("crates/buttress/src/lib.rs"));
    let mut seen = 0;
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        let lines = text
            .lines()
            .map(|line| line.strip_prefix("//! ").unwrap_or(line));
        for (from, snippet) in snippets(&lines.collect::<Vec<_>>().join("\n")) {
            let program = fs::read_to_string(root.join(&from));
            let program = program.unwrap_or_else(|_| panic!("{}: no {from}", page.display()));
            assert!(
                bare(&program).contains(&bare(&snippet)),
                "{} shows what is not in {from}:\n{snippet}",
                page.display()
            );
            seen += 1;
        }
    }
    assert!(seen >= 8, "{seen}");
}
