//! `warden explain`: what a finding means.

use crate::{
    exit::Exit,
    output::{self, Format},
};
use anyhow::Context;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use owo_colors::OwoColorize;
use serde::Serialize;
use std::io::{self, Write};
use warden_finding::{Explanation, FindingId};

/// Say what a finding means, the attack it stops, what Warden does about it and how to allow what one needs
#[derive(clap::Args)]
pub(crate) struct Explain {
    /// The finding; without one, all of them are listed
    #[arg(value_name = "ID", value_parser = finding_ids(), hide_possible_values = true)]
    id: Option<FindingId>,
    #[command(flatten)]
    output: output::Args,
}

/// The ids of what this release finds.
pub(crate) fn finding_ids() -> impl TypedValueParser<Value = FindingId> {
    PossibleValuesParser::new(FindingId::judged().map(|(id, _)| id.as_str())).try_map(|word| word.parse::<FindingId>())
}

/// One rule as programs see it.
#[derive(Serialize)]
struct Rule {
    id: FindingId,
    title: &'static str,
    meaning: &'static str,
    attack: &'static str,
    remedy: &'static str,
    instead: &'static str,
}

impl From<(FindingId, &Explanation)> for Rule {
    fn from((id, text): (FindingId, &Explanation)) -> Self {
        Self {
            id,
            title: id.title(),
            meaning: text.meaning,
            attack: text.attack,
            remedy: text.remedy,
            instead: text.instead,
        }
    }
}

impl Explain {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        // A page to read, also in a pager: it is not shown as a list unless that was asked for.
        let format = self.output.given().unwrap_or(Format::Table);
        // Without an id, all of them.
        let mut rules = FindingId::judged().filter(|(id, _)| self.id.is_none_or(|asked| asked == *id));
        match (self.id, format) {
            (Some(_), Format::Table) => {
                rules.try_for_each(|(id, text)| page(id, text, &mut io::BufWriter::new(anstream::stdout())))
            }
            (_, Format::Table | Format::Json | Format::Jsonl) => {
                output::list(format, &rules.map(Rule::from).collect::<Vec<_>>(), index)
            }
        }
        .context("writing the explanation")?;
        Ok(Exit::Fine)
    }
}

fn index(rules: &[Rule], out: &mut dyn Write) -> io::Result<()> {
    let mut table = output::table(&["Finding", "Fires on"]);
    for rule in rules {
        table.add_row([rule.id.as_str(), rule.title]);
    }
    writeln!(out, "{}", table.trim_fmt())
}

fn page(id: FindingId, text: &Explanation, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}: {}", id.bold(), id.title())?;
    let mut instead = text.instead.to_owned();
    if let Some(exemption) = id.exemption() {
        instead.push(' ');
        instead.push_str(&exemption);
    }
    for (title, text) in [
        ("What it means", text.meaning),
        ("The attack", text.attack),
        ("What Warden does", text.remedy),
        ("What to do instead", instead.as_str()),
    ] {
        writeln!(out, "\n{}\n{}", title.bold(), wrapped(text))?;
    }
    out.flush()
}

/// Text in lines that are comfortable to read, each one indented.
fn wrapped(text: &str) -> String {
    const WIDTH: usize = 96;
    let mut lines = String::new();
    let mut width = 0;
    for word in text.split(' ') {
        let letters = word.chars().count();
        if width == 0 || width + 1 + letters > WIDTH {
            lines.push_str(if width == 0 { "  " } else { "\n  " });
            width = letters;
        } else {
            lines.push(' ');
            width += 1 + letters;
        }
        lines.push_str(word);
    }
    lines
}
