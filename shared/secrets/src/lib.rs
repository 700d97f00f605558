//! The detector of secrets in pairs of a name and a value, such as the variables of a Lambda function's environment.
//!
//! [`judge`] looks at one pair at a time and says what kind of secret it holds and how sure that is. It is a plain
//! function of the two: no I/O, no clock, no state, and nothing of the value in its answer. The layers, of which the
//! first decisive one wins:
//!
//! | layer | what it knows | where |
//! |---|---|---|
//! | 0 | what is never a secret: references, ciphertext, hashes, placeholders, numbers, paths, hosts, keys that were published | `indirection`, `placeholder`, `benign`, `ids`, `known_public` |
//! | 1 | what is public by design: publishable keys, ids, public keys | `format::table::public`, `name` |
//! | 2 | the formats of providers, with their checksums | `format` |
//! | 3 | structure: URLs, connection strings, JSON, PEM, headers, command lines, base64 of any of them | `structure` |
//! | 4 | name and value together | `name`, `features`, `classify` |
//! | 5 | a long random value under a name that says nothing | `classify` |

mod benign;
mod bigrams;
mod candidate;
mod classify;
mod features;
mod format;
mod ids;
mod indirection;
mod known_public;
mod name;
mod persons;
mod placeholder;
mod structure;
mod verdict;
mod words;

pub use classify::judge;
pub use verdict::{Confidence, Kind, Verdict};
