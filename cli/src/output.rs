//! How lists are shown: as a table for people, as JSON or JSON lines for programs.

use anyhow::anyhow;
use clap::ValueEnum;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};
use owo_colors::OwoColorize;
use serde::Serialize;
use std::{
    borrow::Cow,
    fmt::Display,
    io::{self, IsTerminal, Write},
};
use warden_engine::shown::{Shown, make_shown};
use warden_finding::Severity;

/// The `--output` option, for every command that lists something.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Args {
    /// How to show the result [default: table on a terminal, else jsonl]
    #[arg(long, value_enum, value_name = "FORMAT")]
    output: Option<Format>,
}

/// What `--output` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// One JSON array
    Json,
    /// One JSON object per line
    Jsonl,
}

impl Args {
    /// What was asked for, or what suits the standard output.
    pub(crate) fn format(self) -> Format {
        let fitting = if io::stdout().is_terminal() { Format::Table } else { Format::Jsonl };
        self.given().unwrap_or(fitting)
    }

    /// What was asked for in so many words.
    pub(crate) fn given(self) -> Option<Format> {
        self.output
    }
}

/// Writes a list in a program's format, or leaves it to `table` to show it to a person.
///
/// # Errors
///
/// When the standard output cannot be written to.
pub(crate) fn list<T: Serialize>(
    format: Format,
    items: &[T],
    table: impl FnOnce(&[T], &mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut out = io::BufWriter::new(anstream::stdout());
    match format {
        Format::Table => table(items, &mut out)?,
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, &shown(&items)?)?;
            writeln!(out)?;
        }
        Format::Jsonl => {
            for item in items {
                serde_json::to_writer(&mut out, &shown(item)?)?;
                writeln!(out)?;
            }
        }
    }
    out.flush()
}

/// Writes what a command is about to change. Where nobody can read it, nothing is to be changed, so a closed pipe is an
/// error here.
///
/// # Errors
///
/// When the standard output cannot be written to.
pub(crate) fn plan(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
    let mut out = io::BufWriter::new(anstream::stdout());
    // Not as the cause: a command that only lists ends well where its reader has seen enough.
    write(&mut out)
        .and_then(|()| out.flush())
        .map_err(|error| anyhow!("nothing was changed, because what would be changed cannot be written: {error}"))
}

/// One line about what is done. A reader that has gone away changes nothing about that.
pub(crate) fn done(line: impl Display) {
    let _ = writeln!(anstream::stdout(), "{line}");
}

/// One line on the standard error, where there is somebody to read it.
pub(crate) fn note(line: impl Display) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Says on the standard error why something is not done.
pub(crate) fn refused(why: &str) {
    note(format_args!("{} {}", "refused:".yellow().bold(), printable(why)));
}

/// Says on the standard error what the reader has to know beside the answer.
pub(crate) fn warning(what: impl Display) {
    note(format_args!("{} {}", "warning:".yellow().bold(), printable(&what.to_string())));
}

/// An empty table in the one style, as wide as the terminal. Colours are in it always: the stream takes them out again
/// where nobody wants them (NO_COLOR, a pipe).
pub(crate) fn table(header: &[&str]) -> Table {
    // A terminal that does not know its width says 0; below this the words themselves would be cut up.
    const NARROWEST: u16 = 72;
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .enforce_styling()
        .set_header(header.iter().map(|title| Cell::new(title).add_attribute(Attribute::Bold)));
    if table.width().is_some_and(|width| width < NARROWEST) {
        table.set_width(NARROWEST);
    }
    table
}

/// A severity in its colour.
pub(crate) fn severity_cell(severity: Severity) -> Cell {
    let cell = Cell::new(severity);
    match severity {
        Severity::Critical => cell.fg(Color::Red).add_attribute(Attribute::Bold),
        Severity::High => cell.fg(Color::Red),
        Severity::Medium => cell.fg(Color::Yellow),
        Severity::Low => cell.fg(Color::Cyan),
        Severity::Info => cell.fg(Color::DarkGrey),
    }
}

/// A severity in its colour, for a line of text.
pub(crate) fn severity(severity: Severity) -> String {
    match severity {
        Severity::Critical => severity.red().bold().to_string(),
        Severity::High => severity.red().to_string(),
        Severity::Medium => severity.yellow().to_string(),
        Severity::Low => severity.cyan().to_string(),
        Severity::Info => severity.bright_black().to_string(),
    }
}

/// Text from outside, made harmless: for a terminal, because a policy can hold escape sequences and characters that turn
/// the direction of what follows; and without what looks like a secret, which may stand in a tag or be a variable's name.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    match Shown::new(text).text() {
        Cow::Borrowed(text) => without_orders(text),
        Cow::Owned(text) => Cow::Owned(without_orders(&text).into_owned()),
    }
}

/// The value as JSON, without what looks like a secret.
pub(crate) fn shown<T: Serialize>(value: &T) -> serde_json::Result<serde_json::Value> {
    let mut document = serde_json::to_value(value)?;
    make_shown(&mut document);
    Ok(document)
}

fn without_orders(text: &str) -> Cow<'_, str> {
    let dangerous = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(letter, '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    if !text.contains(dangerous) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if dangerous(letter) {
            shown.extend(letter.escape_unicode());
        } else {
            shown.push(letter);
        }
    }
    Cow::Owned(shown)
}

/// A part of a resource as it is shown: its name may be one that somebody gave a variable.
pub(crate) fn surface(surface: &impl Display) -> String {
    printable(&surface.to_string()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(printable(text), expected);
    }

    /// Whoever may tag a function or name its variables decides what stands in the records.
    #[test]
    fn a_secret_in_a_tag_or_in_a_variables_name_is_not_shown() {
        let key = concat!("sk_li", "ve_4eC39HqLyjWDarjtT1zdp7dc");
        assert!(!printable(&format!("owner {key}")).contains(key));
        assert!(!surface(&format!("secret/{key}")).contains(key));
        assert!(!shown(&[key]).unwrap().to_string().contains(key));
    }

    #[test]
    fn a_terminal_gets_no_orders_from_a_policy() {
        check("Ünïcode and 語 stay", "Ünïcode and 語 stay");
        check("\u{1b}[2Jgone", "\\u{1b}[2Jgone");
        check("two\nlines\r", "two\\u{a}lines\\u{d}");
        check("\u{202e}backwards\u{9b}1m", "\\u{202e}backwards\\u{9b}1m");
    }
}
