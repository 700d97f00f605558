//! `docs/findings.md`: what `warden explain` says of each finding, on one page.

use std::fmt::Write as _;
use warden_finding::FindingId;

const HEAD: &str = "\
# Findings

What each finding means, which attack it stops, what Warden does about it, and what to do instead.
`warden explain ID` says the same in a terminal.

This file is written by `cargo run -p warden-generate`; do not edit it.
";

/// The document.
pub(crate) fn text() -> anyhow::Result<String> {
    let mut text = HEAD.to_owned();
    write!(text, "\n| finding | fires on |\n|---|---|\n")?;
    for (id, _) in FindingId::judged() {
        writeln!(text, "| [`{id}`](#{id}) | {} |", id.title())?;
    }
    for (id, explanation) in FindingId::judged() {
        write!(text, "\n## {id}\n\n{}\n", id.title())?;
        let mut instead = sentences(explanation.instead);
        if let Some(exemption) = id.exemption() {
            write!(instead, "\n{}", sentences(&exemption))?;
        }
        for (title, said) in [
            ("What it means", sentences(explanation.meaning)),
            ("The attack", sentences(explanation.attack)),
            ("What Warden does", sentences(explanation.remedy)),
            ("What to do instead", instead),
        ] {
            write!(text, "\n**{title}.**\n{said}\n")?;
        }
    }
    Ok(text)
}

/// One sentence a line, and none longer than a line may be.
fn sentences(text: &str) -> String {
    const WIDTH: usize = 120;
    let mut lines = String::new();
    let mut width = 0;
    let mut words = text.split(' ').peekable();
    while let Some(word) = words.next() {
        lines.push_str(word);
        width += word.chars().count();
        let Some(next) = words.peek() else { break };
        let begins = next.trim_start_matches('`').starts_with(|letter: char| letter.is_uppercase());
        let is_new = (word.ends_with(['.', '!', '?']) && begins) || width + 1 + next.chars().count() > WIDTH;
        lines.push(if is_new { '\n' } else { ' ' });
        width = if is_new { 0 } else { width + 1 };
    }
    lines
}
