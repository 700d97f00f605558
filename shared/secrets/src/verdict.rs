//! What the detector says of a value: which kind of secret, and how sure that is.

use std::fmt;
use warden_finding::Severity;

/// What kind of secret a value is, in the spelling of findings: `github-token`, `database-url`, `password`.
///
/// The kinds of the providers' formats stand in the table of formats; the general ones are the constants here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(pub(crate) &'static str);

impl Kind {
    /// A password, passphrase or PIN.
    pub const PASSWORD: Kind = Kind("password");
    /// A secret of an application: for signing, for encrypting, of an OAuth client.
    pub const SECRET: Kind = Kind("secret");
    /// A token that lets its bearer in.
    pub const TOKEN: Kind = Kind("token");
    /// A key of some API.
    pub const API_KEY: Kind = Kind("api-key");
    /// A private key: PEM, DER, JWK, or bare.
    pub const PRIVATE_KEY: Kind = Kind("private-key");
    /// A URL or connection string with its password.
    pub const DATABASE_URL: Kind = Kind("database-url");
    /// Any other URL with a password, a key or a signature in it.
    pub const URL_CREDENTIAL: Kind = Kind("url-credential");
    /// A URL that lets whoever knows it post or call.
    pub const WEBHOOK: Kind = Kind("webhook-url");
    /// A user and a password in one value.
    pub const CREDENTIALS: Kind = Kind("credentials");
    /// A signed JSON Web Token.
    pub const JWT: Kind = Kind("jwt");
    /// The words that a wallet is restored from.
    pub const MNEMONIC: Kind = Kind("mnemonic");
    /// A random value under a name that says nothing.
    pub const RANDOM: Kind = Kind("random-value");

    /// The spelling in findings.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

/// How sure it is that a value is a secret, in rising order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// Reported: somebody should look. Severity medium.
    Medium,
    /// Acted on: severity high.
    High,
}

impl Confidence {
    /// The severity of a finding: the same word.
    pub const fn severity(self) -> Severity {
        match self {
            Confidence::Medium => Severity::Medium,
            Confidence::High => Severity::High,
        }
    }

    /// The spelling in findings: `medium`, `high`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Confidence::Medium => "medium",
            Confidence::High => "high",
        }
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// That a pair holds a secret. It holds nothing of the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Verdict {
    /// What kind of secret.
    pub kind: Kind,
    /// How sure the verdict is.
    pub confidence: Confidence,
}

impl Verdict {
    pub(crate) const fn high(kind: Kind) -> Self {
        Self { kind, confidence: Confidence::High }
    }

    pub(crate) const fn medium(kind: Kind) -> Self {
        Self { kind, confidence: Confidence::Medium }
    }

    /// The surer of two; of two alike the first.
    pub(crate) fn or(self, other: Option<Self>) -> Self {
        match other {
            Some(other) if other.confidence > self.confidence => other,
            Some(_) | None => self,
        }
    }
}

/// The surest of the verdicts, the first among equals.
pub(crate) fn surest(verdicts: impl Iterator<Item = Verdict>) -> Option<Verdict> {
    let mut best: Option<Verdict> = None;
    for verdict in verdicts {
        best = Some(best.map_or(verdict, |best| best.or(Some(verdict))));
        if verdict.confidence == Confidence::High {
            break;
        }
    }
    best
}
