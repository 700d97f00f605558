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
use warden_finding::FindingId;

/// Say what a finding means, the attack it stops, what Warden does about it and how to allow what one needs
#[derive(clap::Args)]
pub(crate) struct Explain {
    /// The finding; without one, all of them are listed
    #[arg(value_name = "ID", value_parser = finding_ids(), hide_possible_values = true)]
    id: Option<FindingId>,
    #[command(flatten)]
    output: output::Args,
}

pub(crate) fn finding_ids() -> impl TypedValueParser<Value = FindingId> {
    PossibleValuesParser::new(FindingId::ALL.iter().map(|id| id.as_str())).try_map(|word| word.parse::<FindingId>())
}

/// One rule as programs see it.
#[derive(Serialize)]
struct Rule {
    id: FindingId,
    title: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    meaning: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attack: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instead: Option<&'static str>,
}

impl Rule {
    fn of(id: FindingId) -> Self {
        let text = id.explanation();
        Self {
            id,
            title: id.title(),
            meaning: text.map(|text| text.meaning),
            attack: text.map(|text| text.attack),
            remedy: text.map(|text| text.remedy),
            instead: text.map(|text| text.instead),
        }
    }
}

impl Explain {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        // A page to read, also in a pager: it is not shown as a list unless that was asked for.
        let format = self.output.given().unwrap_or(Format::Table);
        match (self.id, format) {
            (Some(id), Format::Table) => page(id, &mut io::BufWriter::new(anstream::stdout())),
            (Some(id), Format::Json | Format::Jsonl) => output::list(format, &[Rule::of(id)], |_, _| Ok(())),
            (None, Format::Table | Format::Json | Format::Jsonl) => {
                let judged = FindingId::ALL.iter().copied().filter(|id| id.explanation().is_some());
                output::list(format, &judged.map(Rule::of).collect::<Vec<_>>(), index)
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

fn page(id: FindingId, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}: {}", id.bold(), id.title())?;
    let Some(text) = id.explanation() else {
        writeln!(out, "\nNothing in this release judges it.")?;
        return out.flush();
    };
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
