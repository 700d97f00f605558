//! What a variable's name says about its value.

use crate::words::{HARMLESS, HARMLESS_BEFORE_TOKEN, HARMLESS_KEYS, OF_ANYTHING, PROVIDERS, SECRET_KEYS, TRAILING};

/// What the value under a name would be, if the name is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Something about a secret, or nothing to do with one: `DB_PASSWORD_ARN`, `PASSWORD_MIN_LENGTH`, `CACHE_KEY`.
    Harmless,
    /// It says nothing either way.
    Neutral,
    /// `DB_PASSWORD`, `dbPass`, `ADMIN_PWD`.
    Password,
    /// `KEY_PASSPHRASE`, `SEED_PHRASE`, `MNEMONIC`: words are no less a secret.
    Passphrase,
    /// `ADMIN_PIN`: digits are no less a secret.
    Pin,
    /// `CLIENT_SECRET`, `JWT_SECRET`.
    Secret,
    /// `GITHUB_TOKEN`, `AUTH_TOKEN`.
    Token,
    /// `API_KEY`, `ACCESS_KEY`, `STRIPE_KEY`: a key that lets in or encrypts.
    ApiKey,
    /// `PRIVATE_KEY`, `SIGNER`.
    PrivateKey,
    /// A key of some sort, which may as well be that of a cache, a table or a bucket.
    Key,
    /// `REGISTRY_LOGIN`, `DB_CREDENTIALS`, `PROXY_AUTH`: often a user and a password.
    Credential,
}

/// A name, read.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    /// Its words in lower case, joined by `_`.
    words: String,
    pub(crate) role: Role,
    /// The name is a weak one (`SALT`, `SECRET_ID`, a label under `API_KEYS`): its value is never as sure as another's.
    pub(crate) distant: bool,
    /// The word that gave the role is not the last one (`TOKEN_GITHUB`): the value has to be plainly random.
    pub(crate) apart: bool,
    /// What a browser gets to see, by the framework's convention or by the word `public`.
    pub(crate) public: bool,
}

/// No name says anything more after this many bytes; of a longer one the end counts.
const LONGEST_NAME: usize = 160;

impl Name {
    pub(crate) fn read(name: &str) -> Self {
        let words = split(name);
        let browser = BROWSER.iter().any(|prefix| words.starts_with(prefix));
        let all = || words.split('_').filter(|word| !word.is_empty());
        let (role, apart) = role(&words);
        let is_key = matches!(role, Role::Token | Role::ApiKey | Role::Key);
        let for_pages = is_key && FOR_PAGES.iter().any(|key| has_words(&words, key));
        let public = browser || for_pages || all().any(|word| PUBLIC.contains(&word));
        let weak = ["salt", "consumer_key", "secret_id"].iter().any(|weak| words.ends_with(weak));
        let distant = weak || (is_key && SHOWN_TO_BROWSERS.iter().any(|shown| has_words(&words, shown)));
        Self { role, distant, apart, public, words }
    }

    /// The name of a part that has only a label: `{"acme": "..."}` under `API_KEYS` holds keys. It is never as sure as
    /// a name of its own.
    pub(crate) fn or_of(self, whole: &Name) -> Self {
        let holds = matches!(whole.role, Role::Password | Role::Secret | Role::Token | Role::ApiKey);
        if self.role == Role::Neutral && holds { Self { distant: true, ..whole.clone() } } else { self }
    }

    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        self.words.split('_').filter(|word| !word.is_empty())
    }

    /// Whether it names a provider whose API is used with a key or token: `SNYK_TOKEN`.
    pub(crate) fn names_provider(&self) -> bool {
        self.words().any(|word| PROVIDERS.contains(word))
    }

    /// Whether the word stands in it, be it cut up: `LAUNCH_DARKLY` mentions `launchdarkly`.
    pub(crate) fn mentions(&self, word: &str) -> bool {
        let mut joined = [0u8; LONGEST_NAME * 2];
        let mut length = 0;
        for (place, byte) in joined.iter_mut().zip(self.words.bytes().filter(|byte| *byte != b'_')) {
            *place = byte;
            length += 1;
        }
        joined.get(..length).is_some_and(|name| name.windows(word.len().max(1)).any(|part| part == word.as_bytes()))
    }

    /// Whether it is of something whose keys are told apart by their fingerprints, in hexadecimal digits: `GPG_KEY`.
    pub(crate) fn names_fingerprint(&self) -> bool {
        self.words().any(|word| matches!(word, "gpg" | "pgp" | "ssh" | "apt"))
    }

    pub(crate) fn has(&self, word: &str) -> bool {
        self.words().any(|own| own == word)
    }
}

/// The words of a name in lower case with `_` between them: at `_`, `-` and the like, and where the case changes.
fn split(name: &str) -> String {
    let skip = name.len().saturating_sub(LONGEST_NAME);
    let name = name.char_indices().find(|(at, _)| *at >= skip).and_then(|(at, _)| name.get(at..)).unwrap_or_default();
    let mut words = String::with_capacity(name.len() + 8);
    let mut previous = '_';
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        if !letter.is_ascii_alphanumeric() {
            words.push('_');
        } else {
            let after_small = previous.is_ascii_lowercase() || previous.is_ascii_digit();
            let next_small = letters.peek().is_some_and(char::is_ascii_lowercase);
            let starts = letter.is_ascii_uppercase() && (after_small || (previous.is_ascii_uppercase() && next_small));
            // `OAuth`, `GitHub` and the plural of an abbreviation (`APIs`) are one word; a wrong split there does no
            // harm.
            if starts && (next_small || !previous.is_ascii_digit()) {
                words.push('_');
            }
            words.push(letter.to_ascii_lowercase());
        }
        previous = letter;
    }
    words
}

fn without_digits(word: &str) -> &str {
    let bare = word.trim_end_matches(|letter: char| letter.is_ascii_digit());
    if bare.is_empty() { word } else { bare }
}

fn role(words: &str) -> (Role, bool) {
    let list: Vec<&str> = words.split('_').filter(|word| !word.is_empty()).collect();
    let mut rest = list.as_slice();
    // `DB_PASSWORD_PROD`, `API_KEY_V2`, `TOKEN_1`: the word before is meant; in `API_KEY_HEADER_VALUE` the one before
    // that.
    while let [before @ .., last] = rest {
        let last = *last;
        let numbered = last.bytes().all(|byte| byte.is_ascii_digit());
        let trails = numbered || TRAILING.contains(without_digits(last)) || says_where(last, before);
        if before.is_empty() || !trails {
            break;
        }
        rest = match before {
            [before @ .., "header"] if last == "value" => before,
            _ => before,
        };
    }
    let [before @ .., last] = rest else { return (Role::Neutral, false) };
    let last = without_digits(last);
    let previous = before.last().map_or("", |word| without_digits(word));
    match meaning(last, previous, before) {
        Some(role) => (role, false),
        None => {
            let mut earlier = before;
            while let [before @ .., last] = earlier {
                let previous = before.last().map_or("", |word| without_digits(word));
                match meaning(without_digits(last), previous, before) {
                    Some(Role::Harmless | Role::Key | Role::Credential) | None => {}
                    Some(role) => return (role, true),
                }
                earlier = before;
            }
            (Role::Neutral, false)
        }
    }
}

/// Whether the last word only says where the secret before it belongs, or of what kind it is: `PASSWORD_DB`,
/// `SECRET_TEXT`, `VAULT_SECRET_ID`. Elsewhere these words make a name harmless: `ORDERS_DB`, `API_KEY_ID`.
fn says_where(last: &str, before: &[&str]) -> bool {
    let is_secret = |word: &&str| {
        matches!(meaning(without_digits(word), "", &[]), Some(Role::Password | Role::Passphrase | Role::Secret))
    };
    match last {
        "id" => matches!(before, [.., "secret"] | [.., "secret", "key"]),
        "text" | "contents" if matches!(before, [.., "private" | "api" | "secret" | "access" | "signing", "key"]) => {
            true
        }
        "db" | "database" | "text" | "app" | "application" | "server" | "service" | "account" | "mail" | "backend"
        | "platform" => before.iter().any(is_secret),
        _ => false,
    }
}

/// Whether a name's words have these among them, from the beginning of a word on: `UPSTREAM_KEY` has no `stream_key`.
fn has_words(words: &str, some: &str) -> bool {
    words.match_indices(some).any(|(at, _)| at == 0 || words.as_bytes().get(at.wrapping_sub(1)) == Some(&b'_'))
}

/// What a word says, after the words before it; nothing for a word that says nothing about secrets.
fn meaning(word: &str, previous: &str, before: &[&str]) -> Option<Role> {
    Some(match word {
        "password" | "passwords" | "passwd" | "passwort" | "pass" | "pwd" | "passcode" | "pw" | "psw" | "passwrd"
        | "motdepasse" | "kennwort" | "wachtwoord" | "haslo" | "contrasena" | "senha" | "psk" | "userpassword"
        | "dbpassword" | "dbpass" | "dbpwd" | "userpass" => Role::Password,
        "passe" if previous == "de" => Role::Password,
        "passphrase" | "mnemonic" | "seedphrase" => Role::Passphrase,
        "phrase" if matches!(previous, "seed" | "pass" | "recovery" | "secret" | "mnemonic") => Role::Passphrase,
        "seed" if matches!(previous, "wallet" | "hd" | "master" | "mnemonic" | "secret") => Role::Passphrase,
        "pin" | "pincode" => Role::Pin,
        "community" if before.contains(&"snmp") => Role::Password,
        "otp" | "totp" | "mfa" if previous == "secret" => Role::Secret,
        "secret" | "secrets" | "clientsecret" | "appsecret" | "pepper" | "salt" | "jwtsecret" | "authsecret"
        | "hmac" => Role::Secret,
        "token" | "tokens" | "authtoken" | "accesstoken" | "apitoken" | "bearer" | "pat" | "refreshtoken"
        | "bottoken" | "jwt" | "sessionid" | "jsessionid" | "phpsessid" | "csrftoken" | "sas" | "authkey" => {
            if HARMLESS_BEFORE_TOKEN.contains(previous) {
                return Some(Role::Harmless);
            }
            Role::Token
        }
        "apikey"
        | "accesskey"
        | "secretkey"
        | "licensekey"
        | "masterkey"
        | "encryptionkey"
        | "signingkey"
        | "appkey"
        | "accountkey"
        | "sharedaccesskey"
        | "apisecret"
        | "secretaccesskey"
        | "sharedaccesssignature" => Role::ApiKey,
        "privatekey" | "privkey" | "signer" | "deployer" => Role::PrivateKey,
        "key" | "keys" => key(previous, before),
        "credential" | "credentials" | "creds" | "cred" | "login" | "userpwd" | "basicauth" | "authorization"
        | "auth" | "cookie" | "cookies" | "session" | "netrc" | "htpasswd" => Role::Credential,
        _ if OF_ANYTHING.contains(word) => Role::Neutral,
        _ if HARMLESS.contains(word) => Role::Harmless,
        _ => joined(word)?,
    })
}

/// `..._KEY`, which depends on what stands before it.
fn key(previous: &str, before: &[&str]) -> Role {
    match previous {
        "private" | "priv" => return Role::PrivateKey,
        "signer" | "deployer" | "wallet" => return Role::PrivateKey,
        _ => {}
    }
    // Azure's keys have twins: `SERVICEBUS_PRIMARY_KEY`. That of a table is a word.
    if let ("primary" | "secondary", [.., owner, _]) = (previous, before) {
        let of_azure = SECRET_KEYS.contains(owner) || AZURE.contains(owner) || before.contains(&"azure");
        return if of_azure { Role::ApiKey } else { Role::Key };
    }
    // Of Azure's functions, and half of a pair of OAuth 1; the value decides.
    if matches!(previous, "host" | "consumer") {
        return Role::Key;
    }
    // Pusher's key is in every page that uses it; what signs is its secret.
    let pusher = previous == "pusher" || (previous == "app" && before.contains(&"pusher"));
    // Azure's search keys are for servers alone.
    let azure = previous == "search" && before.contains(&"azure");
    if azure {
        return Role::ApiKey;
    }
    if pusher || HARMLESS_KEYS.contains(previous) {
        return Role::Harmless;
    }
    if SECRET_KEYS.contains(previous) {
        return Role::ApiKey;
    }
    if before.len() == 1 && PROVIDERS.contains(previous) { Role::ApiKey } else { Role::Key }
}

/// Services of Azure's that give out a primary and a secondary key.
const AZURE: &[&str] = &[
    "batch",
    "cognitive",
    "cosmos",
    "cosmosdb",
    "eventgrid",
    "eventhub",
    "eventhubs",
    "iothub",
    "openai",
    "servicebus",
    "signalr",
    "storage",
];

/// Words run together: `dbpassword`, `esapikey`, `githubtoken`.
fn joined(word: &str) -> Option<Role> {
    const ENDS: &[(&str, Role)] = &[
        ("password", Role::Password),
        ("passwd", Role::Password),
        ("passphrase", Role::Passphrase),
        ("apikey", Role::ApiKey),
        ("accesskey", Role::ApiKey),
        ("secretkey", Role::ApiKey),
        ("authkey", Role::ApiKey),
        ("writekey", Role::ApiKey),
        ("privatekey", Role::PrivateKey),
        ("secret", Role::Secret),
        ("token", Role::Token),
        ("hmackey", Role::ApiKey),
        ("pwd", Role::Password),
    ];
    // Ends of too many other words (`bypass`, `compass`) to be taken after any beginning.
    const SHORT: &[&str] = &["pass", "pw"];
    const LOGINS: &[&str] = &[
        "admin",
        "bind",
        "db",
        "ftp",
        "keystore",
        "ldap",
        "mail",
        "mongo",
        "mysql",
        "pg",
        "postgres",
        "redis",
        "root",
        "sftp",
        "smtp",
        "sql",
        "ssh",
        "truststore",
    ];
    if let Some((_, role)) = ENDS.iter().find(|(end, _)| word.ends_with(end)) {
        return Some(*role);
    }
    let short = SHORT.iter().find_map(|end| word.strip_suffix(end));
    short.filter(|login| is_one_of(LOGINS, login)).map(|_| Role::Password)
}

fn is_one_of(sorted: &[&str], word: &str) -> bool {
    sorted.binary_search(&word).is_ok()
}

/// Prefixes by which frameworks mark what goes into the browser's bundle.
const BROWSER: &[&str] = &[
    "next_public_",
    "vite_",
    "expo_public_",
    "react_app_",
    "gatsby_",
    "nuxt_public_",
    "vue_app_",
    "ng_app_",
    "public_",
    "storybook_",
    "sveltekit_public_",
    "nuxt_env_public_",
    "remix_public_",
];

/// Keys that are meant to be seen, by their providers' word: what reads data has another name there.
const FOR_PAGES: &[&str] = &[
    "shopify_api_key",
    "mixpanel_token",
    "mixpanel_project_token",
    "amplitude_api_key",
    "amplitude_key",
    "search_only_api_key",
    "search_only_key",
    "algolia_search_api_key",
    "zoom_sdk_key",
    "frontend_token",
    "frontend_api_token",
    "client_side",
];

/// Keys that are made for a page's own scripts, and are used on servers too: never as sure as others.
const SHOWN_TO_BROWSERS: &[&str] = &[
    "segment_write_key",
    "segment_key",
    "bugsnag_api_key",
    "heap_",
    "logrocket_",
    "sentry_key",
    "stream_api_key",
    "stream_key",
    "trello_key",
    "trello_api_key",
    "twitter_api_key",
    "flickr_api_key",
];

const PUBLIC: &[&str] = &["public", "publishable", "pub", "pubkey", "publickey", "anon", "sitekey"];
