//! `docs/beliefs.md` says what no public source settles, and the code marks each place that rests on it: `(? ID)`. In the
//! guides a link to the belief is the mark.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};
use warden_sandbox::workspace;

const PAGE: &str = include_str!("../../docs/beliefs.md");

/// The marks of a text: the ids, and how often none is named.
fn marks(text: &str) -> (BTreeSet<&str>, usize) {
    let named = text.split(concat!("(", "? ")).skip(1).filter_map(|rest| rest.split_once(')').map(|(id, _)| id));
    let is_of_id = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    let linked = text.split(concat!("beliefs", ".md#")).skip(1).filter_map(|rest| rest.split(|c| !is_of_id(c)).next());
    // `(? ID)` itself is how the pages speak of marks.
    (named.filter(|id| *id != "ID").chain(linked).collect(), text.matches(concat!("(", "?)")).count())
}

/// The marks of every file that people write, by id, and the files with a mark that names none.
fn marked(directory: &Path, ids: &mut BTreeMap<String, BTreeSet<String>>, bare: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            // What is built or installed, and what version control keeps.
            if !name.starts_with('.') && !["target", "node_modules", "corpus"].contains(&name) {
                marked(&path, ids, bare);
            }
            continue;
        }
        let written = [".rs", ".py", ".yaml", ".j2", ".md", ".json", ".toml"].iter().any(|end| name.ends_with(end));
        if !written || path.ends_with("docs/beliefs.md") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (named, without) = marks(&text);
        for id in named {
            ids.entry(id.to_owned()).or_default().insert(path.display().to_string());
        }
        if without > 0 {
            bare.push(format!("{}: {without}", path.display()));
        }
    }
}

#[test]
fn every_mark_has_its_belief_and_every_belief_its_mark() {
    let (mut ids, mut bare) = (BTreeMap::new(), Vec::new());
    marked(&workspace(), &mut ids, &mut bare);
    assert_eq!(bare, Vec::<String>::new(), "a mark names its belief: (? ID), and docs/beliefs.md has a line for it");
    let beliefs: BTreeSet<&str> = PAGE.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    for (id, places) in &ids {
        assert!(beliefs.contains(id.as_str()), "docs/beliefs.md does not have {id}, which {places:?} rest on");
    }
    for belief in beliefs {
        assert!(ids.contains_key(belief), "{belief}: nothing in the code rests on it");
    }
}

#[test]
fn every_belief_says_what_is_believed_why_what_if_not_and_how_to_tell() {
    let (_, unsettled) = PAGE.split_once("\n## What no public source settles\n").expect("the first part");
    let (unsettled, sourced) = unsettled.split_once("\n## ").expect("the second part");
    let mut before = "";
    for belief in unsettled.split("\n### ").skip(1) {
        let (id, text) = belief.split_once('\n').expect("a heading");
        assert!(before < id, "in the order of the alphabet: {id} after {before}");
        before = id;
        let said: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("- **")?.split("**: ").next()).collect();
        assert_eq!(said, ["Believed", "Source", "If it is false", "Probe"], "{id}");
    }
    let rows = sourced.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| belief "));
    let mut count = 0;
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert!(cells.len() == 4 && cells.iter().all(|cell| !cell.is_empty()), "four cells: {row}");
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn a_mark_is_seen_with_its_id_and_without() {
    let text = ["said nowhere (", " one-id), nor (", "), nor (", " other) and (", ": no mark)"].join("?");
    assert_eq!(marks(&text), (BTreeSet::from(["one-id", "other"]), 1));
    let link = ["see [linked](beliefs", "md#a-link), and"].join(".");
    assert_eq!(marks(&link), (BTreeSet::from(["a-link"]), 0));
}
