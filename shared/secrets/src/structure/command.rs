//! Command lines and options: `--password x`, `-Dkey=value`, `mysql -px`, `curl -u user:password -H 'Authorization:
//! ...'`.

use super::{Found, fields, url};
use crate::{
    candidate::Candidate,
    classify::{self, Depth},
    name::{Name, Role},
    verdict::{Kind, Verdict},
};
use std::borrow::Cow;

/// More words than any command in an environment has.
const MOST_WORDS: usize = 4096;

pub(super) fn examine(_: &Name, value: &str, depth: Depth) -> Found {
    let option = value.starts_with('-') || value.contains(" -");
    let netrc = value.contains("machine ") && value.contains("password ");
    let assignment = value.contains('=') && value.contains(' ');
    let address = value.contains("://") && value.contains(' ');
    if !(option || netrc || assignment || address) || value.starts_with("-----") || !value.contains([' ', '=']) {
        return Found::Nothing;
    }
    let words: Vec<Cow<'_, str>> = words(value).take(MOST_WORDS).collect();
    let program = words.first().map_or("", |word| word.rsplit('/').next().unwrap_or(word));
    let mut best: Option<Verdict> = None;
    let mut previous: &str = "";
    for word in &words {
        let bare = netrc.then_some(previous).filter(|previous| matches!(*previous, "password" | "passwd"));
        let found = after(program, previous, bare, word, depth).or_else(|| alone(program, word, depth));
        if let Some(found) = found {
            best = Some(best.map_or(found, |best| best.or(Some(found))));
        }
        previous = word;
    }
    best.map_or(Found::Nothing, Found::Secret)
}

/// A word by itself.
fn alone(program: &str, word: &str, depth: Depth) -> Option<Verdict> {
    if word.contains("://") {
        return match url::examine(&Name::read(""), word, depth) {
            Found::Secret(verdict) => Some(verdict),
            Found::Nothing | Found::Harmless => None,
        };
    }
    let attached = match program {
        "mysql" | "mysqldump" | "mysqladmin" | "mariadb" | "mariadb-dump" | "sshpass" => word.strip_prefix("-p"),
        "redis-cli" => word.strip_prefix("-a"),
        _ => None,
    };
    if let Some(password) = attached.filter(|password| !password.is_empty() && !password.starts_with('=')) {
        return password_word(password);
    }
    if let Some((header, rest)) = word.split_once(": ").filter(|(header, _)| fields::is_key(header)) {
        return fields::one(header, rest, depth);
    }
    let option = word.trim_start_matches('-');
    let option = if word.starts_with("-D") { option.strip_prefix('D').unwrap_or(option) } else { option };
    let (key, value) = option.split_once('=')?;
    fields::is_key(key).then(|| fields::one(key, value, depth))?
}

/// A word after an option that takes it; in netrc and its like that is a bare word.
fn after(program: &str, option: &str, bare: Option<&str>, word: &str, depth: Depth) -> Option<Verdict> {
    if word.starts_with('-') && word.len() < 12 {
        return None;
    }
    match (program, option) {
        ("curl" | "wget" | "http" | "https" | "xh", "-u" | "--user" | "--proxy-user" | "-U" | "-a") => {
            let (_, password) = word.split_once(':')?;
            return password_word(password);
        }
        (
            "docker" | "podman" | "skopeo" | "helm" | "sshpass" | "mongo" | "mongosh" | "mongodump" | "az" | "cqlsh"
            | "rabbitmqadmin" | "nerdctl",
            "-p",
        )
        | ("redis-cli", "-a")
        | ("sqlcmd" | "bcp" | "zip" | "unzip", "-P")
        | ("ldapsearch" | "ldapadd" | "ldapmodify" | "ldapwhoami", "-w") => return password_word(word),
        ("smbclient", "-U") => return password_word(word.split_once('%')?.1),
        ("openssl", "-passin" | "-passout" | "-k" | "-pass") => {
            return password_word(word.strip_prefix("pass:").unwrap_or(word));
        }
        _ => {}
    }
    let named =
        option.strip_prefix("--").or(bare).or_else(|| option.strip_prefix('-').filter(|option| option.len() > 3))?;
    if named.contains('=') || !fields::is_key(named) {
        return None;
    }
    let name = Name::read(named);
    match name.role {
        Role::Password | Role::Passphrase => password_word(word),
        Role::Secret | Role::Token | Role::ApiKey | Role::PrivateKey => classify::part(&name, word, depth),
        Role::Harmless | Role::Neutral | Role::Pin | Role::Key | Role::Credential => None,
    }
}

fn password_word(password: &str) -> Option<Verdict> {
    let password = Candidate::new(password);
    let nothing = password.len() < 4
        || password.is_placeholder()
        || password.is_elsewhere()
        || password.starts_with('-')
        || password.contains("://");
    (!nothing).then_some(Verdict::high(Kind::PASSWORD))
}

/// The words of a command, without their quotes.
fn words(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let mut rest = text.trim_start();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut quote = None;
        let mut quoted = false;
        let mut end = rest.len();
        for (at, letter) in rest.char_indices() {
            match quote {
                Some(open) if letter == open => quote = None,
                Some(_) => {}
                None if letter == '"' || letter == '\'' => {
                    quote = Some(letter);
                    quoted = true;
                }
                None if letter.is_whitespace() => {
                    end = at;
                    break;
                }
                None => {}
            }
        }
        let (word, after) = rest.split_at_checked(end)?;
        rest = after.trim_start();
        Some(if quoted { Cow::Owned(word.replace(['"', '\''], "")) } else { Cow::Borrowed(word) })
    })
}
