//! URLs: the password before the host, keys in the query, paths that only who was told knows.

use super::Found;
use crate::{
    candidate::Candidate,
    classify::{self, Depth},
    features::{Features, is_uuid},
    ids::carries,
    name::{Name, Role},
    placeholder::is_placeholder,
    verdict::{Confidence, Kind, Verdict, surest},
};

/// More than any list of brokers or origins in an environment has.
const MOST_URLS: usize = 64;

pub(super) fn examine(_: &Name, value: &str, depth: Depth) -> Found {
    let value = value.strip_prefix("jdbc:").unwrap_or(value);
    if value.contains(char::is_whitespace) {
        return Found::Nothing;
    }
    let Some((scheme, rest)) = value.split_once("://") else {
        return without_scheme(value);
    };
    let is_scheme = !scheme.is_empty()
        && scheme.len() <= 40
        && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '-' | '.' | ':' | '_'));
    if !is_scheme {
        return Found::Nothing;
    }
    // Several URLs in one value: `a://...,b://...`.
    let mut found = None;
    let (mut scheme, mut rest) = (scheme, rest);
    for _ in 0..MOST_URLS {
        let next = rest.find("://").and_then(|at| {
            let cut = rest.get(..at)?.rfind([',', ';', '|'])?;
            Some((rest.get(..cut)?, rest.get(cut + 1..at)?, rest.get(at + 3..)?))
        });
        let verdict = one(scheme, next.map_or(rest, |(this, ..)| this), depth);
        found = surest(found.into_iter().chain(verdict));
        let Some((_, next_scheme, next_rest)) = next else { break };
        (scheme, rest) = (next_scheme, next_rest);
    }
    found.into()
}

fn one(scheme: &str, rest: &str, depth: Depth) -> Option<Verdict> {
    let database = is_database(scheme);
    let kind = if database { Kind::DATABASE_URL } else { Kind::URL_CREDENTIAL };
    let user_info = user_info(rest);
    let password = user_info.and_then(|(info, after_user)| {
        let (user, password) = info.split_once(':').unwrap_or((info, ""));
        if password.is_empty() {
            token_as_user(scheme, user, depth)
        } else {
            password_in_url(user, password, after_user, kind)
        }
    });
    let after = user_info.map_or(rest, |(_, after)| after);
    let (place, query) = after.split_once(['?', ';']).unwrap_or((after, ""));
    let (query, fragment) = query.split_once('#').unwrap_or((query, ""));
    let parameters = query.split(['&', ';']).chain(fragment.split('&')).filter_map(|field| field.split_once('='));
    let keys = parameters.filter_map(|(key, value)| query_key(key, value, place, kind, depth));
    // A script for maps in a web page has Google's key for browsers in its address.
    let for_pages = place.ends_with("/js") || place.ends_with(".js");
    let inside = crate::format::find_within(rest).filter(|found| !(for_pages && found.kind == Kind("gcp-key")));
    surest(password.into_iter().chain(inside).chain(secret_path(place)).chain(keys))
}

fn is_database(scheme: &str) -> bool {
    let main = scheme.split(['+', ':']).next().unwrap_or(scheme);
    matches!(
        main.to_ascii_lowercase().as_str(),
        "postgres"
            | "postgresql"
            | "mysql"
            | "mysql2"
            | "mariadb"
            | "mongodb"
            | "redis"
            | "rediss"
            | "amqp"
            | "amqps"
            | "mssql"
            | "sqlserver"
            | "oracle"
            | "cockroachdb"
            | "clickhouse"
            | "snowflake"
            | "cassandra"
            | "neo4j"
            | "bolt"
            | "couchbase"
            | "couchbases"
            | "memcached"
            | "kafka"
            | "nats"
            | "db2"
            | "redshift"
            | "vertica"
            | "influxdb"
            | "valkey"
            | "valkeys"
            | "ecto"
            | "prisma"
            | "trino"
            | "presto"
            | "hive"
            | "jdbc"
            | "libsql"
            | "tls"
            | "elasticsearch"
            | "opensearch"
            | "pgsql"
            | "timescaledb"
            | "stomp"
            | "mqtt"
            | "mqtts"
            | "pulsar"
    )
}

/// What stands before the host, and the rest. A password may hold `/`, `?`, `#` and `@`, though it should not.
fn user_info(rest: &str) -> Option<(&str, &str)> {
    let proper = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if let Some((info, _)) = proper.rsplit_once('@') {
        return Some((info, rest.get(info.len() + 1..)?));
    }
    // `user:pa/ss@host`: only with a colon before the slash that is no port.
    let (info, after) = rest.rsplit_once('@')?;
    let (user, password) = info.split_once(':')?;
    let port = password.bytes().take_while(u8::is_ascii_digit).count();
    let is_port = port > 0 && password.as_bytes().get(port) == Some(&b'/');
    let host = after.split(['/', ':', '?', ',']).next().unwrap_or_default();
    let plausible = !is_port
        && !user.contains(['/', '?', '.'])
        && !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_[]".contains(&byte));
    plausible.then_some((info, after))
}

fn password_in_url(user: &str, password: &str, host: &str, kind: Kind) -> Option<Verdict> {
    let password = Candidate::new(password.trim_matches(['"', '\'']));
    if password.contains('%') && is_placeholder(&percent_decoded(&password)) {
        return None;
    }
    if password.is_placeholder() || password.is_elsewhere() || password.eq_ignore_ascii_case(user) || password.len() < 3
    {
        return None;
    }
    // `redis://:ourredis@redis`, `mysql://root:root123@localhost`: a developer's machine, or a word that may stand for
    // anything.
    let features = password.features();
    let host = host.split(['/', ':', '?', ',', ')']).next().unwrap_or_default();
    let at_home = !host.contains('.') || host == "127.0.0.1" || host == "host.docker.internal";
    let weak = features.noise() < 50 && features.symbols == 0;
    let word = features.digits == 0 && features.upper == 0 && features.symbols == 0 && features.noise() < 50;
    let shown = classify::says_password(&password);
    let confidence = if word || shown || (weak && at_home) { Confidence::Medium } else { Confidence::High };
    Some(Verdict { kind, confidence })
}

/// `https://TOKEN@host`: a token in the user's place. A Sentry DSN's public key is no such thing.
fn token_as_user(scheme: &str, user: &str, depth: Depth) -> Option<Verdict> {
    if !matches!(scheme, "http" | "https" | "git+https") || is_placeholder(user) {
        return None;
    }
    let hex_key = user.len() == 32 && user.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hex_key || user.len() < 20 {
        return None;
    }
    classify::part(&Name::read("token"), user, depth)
}

fn query_key(key: &str, value: &str, place: &str, kind: Kind, depth: Depth) -> Option<Verdict> {
    let decoded = percent_decoded(value);
    let value = decoded.as_str();
    let lower = key.trim_start_matches("X-").to_ascii_lowercase();
    let name = match lower.as_str() {
        // A signature made with somebody's key; without it the rest is of no use.
        "sig"
        | "amz-signature"
        | "signature"
        | "goog-signature"
        | "hmac"
        | "code"
        | "auth"
        | "apikey"
        | "api_key"
        | "appid"
        | "subscription-key"
        | "ocp-apim-subscription-key"
        | "access_key"
        | "authkey"
        | "sv_auth"
        | "api-key"
        | "key"
        | "psk"
        | "k" => {
            if is_uuid(value) {
                // Of itself a UUID is an id; called a key it may well be one.
                let called_key = match lower.as_str() {
                    "apikey" | "api-key" | "api_key" => Some(Confidence::High),
                    "key" => None,
                    other => other.contains("key").then_some(Confidence::Medium),
                };
                let made_up = is_placeholder(value);
                return called_key
                    .filter(|_| !made_up)
                    .map(|confidence| Verdict { kind: Kind::URL_CREDENTIAL, confidence });
            }
            let features = Features::of(value);
            let random = value.len() >= 16 && features.noise() >= 50 && !is_placeholder(value);
            let signed_for_a_while = lower == "amz-signature" || lower == "goog-signature";
            let open = matches!(lower.as_str(), "signature" | "hmac" | "appid" | "k");
            return random.then_some(match (signed_for_a_while || open, public_key_in_query(value, place)) {
                (_, true) => return None,
                (true, false) => Verdict::medium(Kind::URL_CREDENTIAL),
                (false, false) => Verdict::high(Kind::URL_CREDENTIAL),
            });
        }
        _ => Name::read(key),
    };
    match name.role {
        Role::Password | Role::Passphrase => password_in_url("", value, place, kind),
        Role::Harmless | Role::Neutral | Role::Key => None,
        Role::Pin | Role::Secret | Role::Token | Role::ApiKey | Role::PrivateKey | Role::Credential => {
            classify::part(&name, value, depth).map(|verdict| Verdict { kind: Kind::URL_CREDENTIAL, ..verdict })
        }
    }
}

/// A key for maps in a web page stands in its URL for everybody to see.
fn public_key_in_query(value: &str, place: &str) -> bool {
    value.starts_with("pk.") || value.starts_with("pk_") || place.ends_with(".js") || place.ends_with("/js")
}

pub(super) fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        bytes.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// Hosts whose URLs carry their key in the path: who knows the address may post or call.
fn secret_path(place: &str) -> Option<Verdict> {
    let (host, path) = place.split_once('/')?;
    let host = host.split(':').next().unwrap_or(host);
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).take(12).collect();
    let long =
        |part: &&str, least: usize| part.len() >= least && !is_placeholder(part) && Features::of(part).noise() >= 40;
    let webhook = match (host, parts.as_slice()) {
        ("hooks.slack.com" | "hooks.slack-gov.com", ["services", _, _, last]) if last.len() == 24 => {
            !is_placeholder(last) && last.bytes().all(|byte| byte.is_ascii_alphanumeric())
        }
        ("hooks.slack.com" | "hooks.slack-gov.com", ["services" | "workflows" | "triggers", .., last]) => {
            long(last, 16)
        }
        (
            "discord.com" | "discordapp.com" | "ptb.discord.com" | "canary.discord.com",
            ["api", "webhooks", _, last, ..],
        ) => long(last, 30),
        ("discord.com" | "discordapp.com", ["api", _, "webhooks", _, last, ..]) => long(last, 30),
        ("hooks.zapier.com", ["hooks", "catch" | "standard", _, last, ..]) => last.len() >= 5 && !is_placeholder(last),
        (
            "hooks.airtable.com" | "hook.integromat.com" | "hook.make.com" | "webhook.site" | "hooks.stripe.com",
            [.., last],
        ) => long(last, 16),
        ("maker.ifttt.com", [.., "key", last]) => long(last, 16),
        ("outlook.office.com" | "outlook.office365.com", ["webhook", ..]) => parts.len() >= 3,
        ("events.pagerduty.com", ["integration", key, ..]) => long(key, 20),
        ("api.telegram.org", [bot, ..]) => bot.starts_with("bot") && long(bot, 30),
        ("collectors.sumologic.com", [.., last]) => long(last, 40),
        ("hc-ping.com", [last, ..]) => is_uuid(last),
        (
            "chat.googleapis.com"
            | "open.feishu.cn"
            | "open.larksuite.com"
            | "oapi.dingtalk.com"
            | "qyapi.weixin.qq.com",
            [.., last],
        ) => long(last, 20),
        ("app.datadoghq.com" | "api.opsgenie.com" | "alert.victorops.com", ["integrations" | "intake", .., last]) => {
            long(last, 20)
        }
        (host, ["webhookb2" | "webhook", _, ..]) if host.ends_with(".webhook.office.com") => true,
        (host, ["hook" | "hooks", .., last])
            if host.ends_with(".make.com") || host.starts_with("mattermost") || host.starts_with("rocket") =>
        {
            long(last, 16)
        }
        (host, [.., last]) if host.starts_with("hook.") && host.ends_with(".make.com") => long(last, 16),
        (host, ["receiver", "v1", "http", last, ..]) if host.ends_with(".sumologic.com") => long(last, 40),
        // The secret address of a calendar (https://support.google.com/calendar/answer/37648).
        ("calendar.google.com" | "www.google.com", ["calendar", "ical", _, private, ..]) => {
            private.strip_prefix("private-").is_some_and(|key| long(&key, 20))
        }
        (
            "outlook.office365.com" | "outlook.office.com" | "outlook.live.com",
            ["owa", "calendar", _, key, "calendar.ics" | "calendar.html", ..],
        ) => long(key, 20),
        (host, ["published", _, key, ..]) if host.ends_with(".icloud.com") => long(key, 20),
        (host, ["inputs", key, ..]) if host.ends_with(".loggly.com") => is_uuid(key),
        _ => false,
    };
    if webhook {
        return Some(Verdict::high(Kind::WEBHOOK));
    }
    // A hook elsewhere, with something in its path that nobody could guess.
    let hook = parts.iter().any(|part| matches!(*part, "webhook" | "webhooks" | "hook" | "hooks" | "incoming-webhook"));
    if hook && parts.last().is_some_and(|last| long(last, 24) && !is_uuid(last) && carries(last).is_none()) {
        return Some(Verdict::medium(Kind::WEBHOOK));
    }
    // So a calendar elsewhere: `.../calendar/v1-9f8e7d6c5b4a.../work.ics`.
    let calendar = path.split('?').next().is_some_and(|path| path.ends_with(".ics"));
    if calendar && parts.iter().rev().skip(1).any(|part| long(part, 20) && !is_uuid(part) && carries(part).is_none()) {
        return Some(Verdict::medium(Kind::URL_CREDENTIAL));
    }
    let key_in_path = match (host, parts.as_slice()) {
        (host, ["v2" | "v3" | "nft", key, ..] | ["v2" | "v3", "ws", key, ..] | ["ws", "v3", key])
            if host.ends_with(".infura.io") || host.ends_with(".g.alchemy.com") || host.ends_with(".alchemyapi.io") =>
        {
            long(key, 20)
        }
        (host, [key, ..]) if host.ends_with(".quiknode.pro") => long(key, 32),
        (host, [key, ..] | ["v1", key, ..])
            if host.ends_with(".blastapi.io")
                || host.ends_with(".chainstack.com")
                || host.ends_with(".rpc.ankr.com")
                || host == "rpc.ankr.com" =>
        {
            long(key, 32)
        }
        _ => false,
    };
    key_in_path.then_some(Verdict::high(Kind::URL_CREDENTIAL))
}

/// `user:password@tcp(host:3306)/db`, `user:password@host:5432/db`, `user/password@//host:1521/service`.
fn without_scheme(value: &str) -> Found {
    if let Some(rest) = value.strip_prefix("oracle:thin:") {
        return oracle(rest);
    }
    let Some((info, after)) = value.rsplit_once('@') else { return Found::Nothing };
    let Some((user, password)) = info.split_once(':') else { return oracle(value) };
    let is_user = !user.is_empty()
        && user.len() <= 64
        && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-%+$".contains(&byte));
    let driver = ["tcp(", "tcp6(", "unix(", "("].iter().any(|start| after.starts_with(start));
    let host = after.split(['/', ':', '?', ',']).next().unwrap_or_default();
    let is_host = !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
        && host.bytes().any(|byte| byte.is_ascii_alphabetic());
    let reachable =
        crate::benign::is_host(host) || after.get(host.len()..).is_some_and(|rest| rest.starts_with([':', '/']));
    let image = after.starts_with("sha256:")
        || matches!(user, "mailto" | "npm" | "git" | "github" | "docker" | "file" | "sip" | "sips" | "xmpp" | "acct");
    if !is_user || image || !(driver || (is_host && reachable)) || password.contains(' ') || password.starts_with('/') {
        return oracle(value);
    }
    password_in_url(user, password, after.trim_start_matches('/').trim_start_matches("tcp("), Kind::DATABASE_URL).into()
}

fn oracle(value: &str) -> Found {
    let Some((info, after)) = value.rsplit_once('@') else { return Found::Nothing };
    let Some((user, password)) = info.split_once('/') else { return Found::Nothing };
    let is_user = !user.is_empty()
        && user.len() <= 64
        && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_$#".contains(&byte));
    let host = after.trim_start_matches('/');
    let described = after.starts_with("//")
        || after.starts_with("(DESCRIPTION")
        || host.split_once(':').is_some_and(|(_, port)| {
            port.starts_with(|first: char| first.is_ascii_digit()) && port.contains(['/', ':'])
        });
    if !is_user || !described || password.contains('/') && password.contains('.') {
        return Found::Nothing;
    }
    password_in_url(user, password, after.trim_start_matches('/').trim_start_matches("tcp("), Kind::DATABASE_URL).into()
}
