//! Ids, and names that carry them: `orders-api-` and a UUID, `tenants/` with an id and `/db`.

use crate::features::is_uuid;

/// Whether the text consists of ids alone: UUIDs, hashes, ULIDs, KSUIDs and others that programs number things with.
/// What is random in them jumps between capitals, small letters and digits in no id but those of few, known lengths.
pub(crate) fn is_id(text: &str) -> bool {
    is_uuid(text) || text.split(|letter: char| !letter.is_ascii_alphanumeric()).all(is_one)
}

fn is_one(piece: &str) -> bool {
    // shortuuid and other UUIDs in base 57 and 58, and KSUIDs, which begin with the time.
    const SHORT_UUID: usize = 22;
    const KSUID: usize = 27;
    let has = |is: fn(&u8) -> bool| piece.as_bytes().iter().any(is);
    !(has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase))
        || piece.len() == SHORT_UUID
        || (piece.len() == KSUID && piece.starts_with(['0', '1', '2', '3']))
        || piece.len() < 8
}
