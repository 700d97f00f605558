//! The formats, one line each: kind, documentation, parts from the first character to the last.
//!
//! Where published descriptions of a format differ, the wider one stands here: lengths are ranges. No example stands
//! here: the tests make them from the parts.

use super::{Checksum, Format, Part, Says};
use crate::verdict::Kind;

mod ai;
mod cloud;
mod code;
mod messages;
mod observation;
mod payment;
mod public;
mod saas;

pub(super) const FORMATS: &[&[Format]] = &[
    ai::FORMATS,
    cloud::FORMATS,
    code::FORMATS,
    messages::FORMATS,
    observation::FORMATS,
    payment::FORMATS,
    public::FORMATS,
    saas::FORMATS,
];

const fn secret(kind: &'static str, source: &'static str, parts: &'static [Part]) -> Format {
    Format { kind: Kind(kind), source, parts, checksum: Checksum::None, says: Says::Secret }
}

const fn checked(kind: &'static str, source: &'static str, parts: &'static [Part], checksum: Checksum) -> Format {
    Format { kind: Kind(kind), source, parts, checksum, says: Says::Secret }
}

const fn likely(kind: &'static str, source: &'static str, parts: &'static [Part]) -> Format {
    Format { kind: Kind(kind), source, parts, checksum: Checksum::None, says: Says::Likely }
}

const fn id(kind: &'static str, source: &'static str, parts: &'static [Part]) -> Format {
    Format { kind: Kind(kind), source, parts, checksum: Checksum::None, says: Says::Id }
}

const fn public(kind: &'static str, source: &'static str, parts: &'static [Part]) -> Format {
    Format { kind: Kind(kind), source, parts, checksum: Checksum::None, says: Says::Public }
}
