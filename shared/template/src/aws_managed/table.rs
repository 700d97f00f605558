//! The table of documents, read in place. `tables/managed_policies.mjs` writes it and says how it is laid out.

use serde_json::{Map, Value};
use std::cmp::Ordering;

pub(super) static TABLE: Table = Table(include_bytes!("table.bin"));

pub(super) struct Table(&'static [u8]);

const LIST: u16 = 0xffff;
const MAP: u16 = 0xfffe;
const END: u16 = 0xfffd;

/// The three counts at the start.
const HEADER: usize = 12;

impl Table {
    /// Whether there is a policy of that name, without path.
    pub(super) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The document of a policy by its name without path.
    pub(super) fn document(&self, name: &str) -> Option<Value> {
        let policy = self.find(name)?;
        let start = match policy.checked_sub(1) {
            Some(before) => self.token_end(before)?,
            None => 0,
        };
        let mut tokens = start..self.token_end(policy)?;
        self.value(self.token(tokens.next()?)?, &mut tokens)
    }

    fn find(&self, name: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.policies()?);
        while low < high {
            let middle = low.midpoint(high);
            match self.name(middle)?.cmp(name) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return Some(middle),
            }
        }
        None
    }

    #[cfg(test)]
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        (0..self.policies().unwrap_or_default()).filter_map(|policy| self.name(policy))
    }

    fn value(&self, token: u16, tokens: &mut std::ops::Range<usize>) -> Option<Value> {
        match token {
            LIST => {
                let mut items = Vec::new();
                loop {
                    match self.token(tokens.next()?)? {
                        END => return Some(Value::Array(items)),
                        token => items.push(self.value(token, tokens)?),
                    }
                }
            }
            MAP => {
                let mut map = Map::new();
                loop {
                    match self.token(tokens.next()?)? {
                        END => return Some(Value::Object(map)),
                        key => {
                            let value = self.token(tokens.next()?)?;
                            map.insert(self.text(key)?.to_owned(), self.value(value, tokens)?);
                        }
                    }
                }
            }
            text => Some(self.text(text)?.into()),
        }
    }

    fn texts(&self) -> Option<usize> {
        self.u32(0)
    }

    fn policies(&self) -> Option<usize> {
        self.u32(4)
    }

    /// Where the names begin, which follow the ends of the texts.
    fn names_at(&self) -> Option<usize> {
        Some(HEADER + 4 * self.texts()?)
    }

    fn token_ends_at(&self) -> Option<usize> {
        Some(self.names_at()? + 2 * self.policies()?)
    }

    fn tokens_at(&self) -> Option<usize> {
        Some(self.token_ends_at()? + 4 * self.policies()?)
    }

    fn name(&self, policy: usize) -> Option<&'static str> {
        self.text(self.u16(self.names_at()? + 2 * policy)?)
    }

    fn token_end(&self, policy: usize) -> Option<usize> {
        self.u32(self.token_ends_at()? + 4 * policy)
    }

    fn token(&self, index: usize) -> Option<u16> {
        self.u16(self.tokens_at()? + 2 * index)
    }

    fn text(&self, number: u16) -> Option<&'static str> {
        let number = usize::from(number);
        let end = self.u32(HEADER + 4 * number)?;
        let start = if number == 0 { 0 } else { self.u32(HEADER + 4 * (number - 1))? };
        let texts = self.tokens_at()? + 2 * self.u32(8)?;
        std::str::from_utf8(self.0.get(texts + start..texts + end)?).ok()
    }

    fn u32(&self, at: usize) -> Option<usize> {
        let bytes = self.0.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    }

    fn u16(&self, at: usize) -> Option<u16> {
        Some(u16::from_le_bytes(self.0.get(at..at + 2)?.try_into().ok()?))
    }
}
