//! What changes in a surface's content, in colour.

use crate::output::printable;
use owo_colors::OwoColorize;
use similar::{ChangeTag, TextDiff};
use std::io::{self, Write};
use warden_engine::model::content::{Content, Diff};

/// Lines around each change.
const AROUND: usize = 3;

/// Writes a unified diff of the content as indented JSON. Colours are in it always, as in [`crate::output::table`].
///
/// # Errors
/// When the output cannot be written to.
pub(crate) fn write(out: &mut dyn Write, diff: &Diff, before: &str, after: &str) -> io::Result<()> {
    let (old, new) = (text(&diff.before), text(&diff.after));
    if old == new {
        writeln!(out, "{}", named(before, &diff.before).bold())?;
        return old.lines().try_for_each(|line| writeln!(out, " {}", printable(line)));
    }
    writeln!(out, "{}", format!("--- {}", named(before, &diff.before)).bold())?;
    writeln!(out, "{}", format!("+++ {}", named(after, &diff.after)).bold())?;
    let lines = TextDiff::from_lines(&old, &new);
    for hunk in lines.unified_diff().context_radius(AROUND).iter_hunks() {
        writeln!(out, "{}", hunk.header().cyan())?;
        for change in hunk.iter_changes() {
            let line = format!("{}{}", change.tag(), printable(change.value().trim_end_matches('\n')));
            match change.tag() {
                ChangeTag::Equal => writeln!(out, "{line}")?,
                ChangeTag::Delete => writeln!(out, "{}", line.red())?,
                ChangeTag::Insert => writeln!(out, "{}", line.green())?,
            }
        }
    }
    Ok(())
}

fn named(what: &str, content: &Content) -> String {
    if content.is_absent() { format!("{what} (nothing)") } else { what.to_owned() }
}

/// Indented JSON, every line with its end; nothing where the surface holds nothing.
fn text(content: &Content) -> String {
    content.document().map_or_else(String::new, |document| format!("{document:#}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[track_caller]
    fn check(before: Value, after: Value, expected: &[&str]) {
        let mut written = Vec::new();
        let diff = Diff { before: Content::new(before), after: Content::new(after) };
        write(&mut written, &diff, "was", "is").unwrap();
        let plain = anstream::adapter::strip_bytes(&written).into_vec();
        assert_eq!(String::from_utf8(plain).unwrap().lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_change_is_shown_line_by_line() {
        check(
            json!({"AuthType": "NONE", "Cors": null}),
            json!({"AuthType": "AWS_IAM", "Cors": null}),
            &[
                "--- was",
                "+++ is",
                "@@ -1,4 +1,4 @@",
                " {",
                "-  \"AuthType\": \"NONE\",",
                "+  \"AuthType\": \"AWS_IAM\",",
                "   \"Cors\": null",
                " }",
            ],
        );
    }

    #[test]
    fn nothing_is_called_nothing() {
        check(json!({}), Value::Null, &["--- was", "+++ is (nothing)", "@@ -1 +0,0 @@", "-{}"]);
    }

    #[test]
    fn content_that_stays_is_shown_once() {
        check(json!({}), json!({}), &["was", " {}"]);
    }

    #[test]
    fn a_policy_gives_the_terminal_no_orders() {
        check(
            Value::Null,
            json!("\u{202e}\u{9b}2J"),
            &["--- was (nothing)", "+++ is", "@@ -0,0 +1 @@", "+\"\\u{202e}\\u{9b}2J\""],
        );
    }
}
