//! The checksums that some formats carry.

/// How a format's checksum is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checksum {
    /// The format has none, or none that is documented.
    None,
    /// The last six characters are the CRC-32 of what stands after the first `_` and before them, in base 62 (digits,
    /// capitals, small letters), filled up with zeros. GitHub:
    /// <https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/>; npm:
    /// <https://github.blog/changelog/2021-09-23-npm-has-a-new-access-token-format/>.
    Base62AfterPrefix,
    /// The last seven characters are the CRC-32 of all that stands before them, in base 36.
    /// GitLab: <https://handbook.gitlab.com/handbook/engineering/architecture/design-documents/cells/routable_tokens/>.
    Base36OfAll,
    /// The last eight characters are the CRC-32 of all that stands before them, in capital hexadecimal digits.
    /// Atlassian.
    Base16OfAll,
}

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE36: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const BASE16: &[u8; 16] = b"0123456789ABCDEF";

impl Checksum {
    /// Whether the checksum is right; true where there is none.
    pub(super) fn holds(self, value: &str) -> bool {
        self.parts(value).is_none_or(|(over, given)| match self {
            Checksum::None => true,
            Checksum::Base62AfterPrefix => agrees(over, given, BASE62),
            Checksum::Base36OfAll => agrees(over, given, BASE36),
            Checksum::Base16OfAll => agrees(over, given, BASE16),
        })
    }

    /// What it is made over, and what stands in its place.
    pub(super) fn parts(self, value: &str) -> Option<(&str, &str)> {
        match self {
            Checksum::None => None,
            Checksum::Base62AfterPrefix => {
                let (_, body) = value.split_once('_')?;
                body.split_at_checked(body.len().checked_sub(6)?)
            }
            Checksum::Base36OfAll => value.split_at_checked(value.len().checked_sub(7)?),
            Checksum::Base16OfAll => value.split_at_checked(value.len().checked_sub(8)?),
        }
    }
}

fn agrees(over: &str, given: &str, digits: &[u8]) -> bool {
    let mut rest = u64::from(crc32fast::hash(over.as_bytes()));
    let base = digits.len() as u64;
    given.bytes().rev().all(|digit| {
        let place = usize::try_from(rest % base).unwrap_or_default();
        rest /= base;
        digits.get(place) == Some(&digit)
    }) && rest == 0
}

#[cfg(test)]
pub(super) fn mend(checksum: Checksum, value: &str) -> String {
    let digits: &[u8] = match checksum {
        Checksum::None => return value.to_owned(),
        Checksum::Base62AfterPrefix => BASE62,
        Checksum::Base36OfAll => BASE36,
        Checksum::Base16OfAll => BASE16,
    };
    let (over, given) = checksum.parts(value).unwrap();
    let mut rest = u64::from(crc32fast::hash(over.as_bytes()));
    let mut end = vec![0; given.len()];
    for place in end.iter_mut().rev() {
        *place = digits[usize::try_from(rest % digits.len() as u64).unwrap()];
        rest /= digits.len() as u64;
    }
    format!("{}{}", &value[..value.len() - given.len()], String::from_utf8(end).unwrap())
}
