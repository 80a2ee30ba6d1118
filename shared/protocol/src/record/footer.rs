use serde::{Deserialize, Serialize};

use crate::record::Usage;

const MAGIC: &[u8; 4] = b"TDM1";
const TRAILER_BYTES: usize = 8;

/// The end of an exchange object: where each slot's rows lie.
///
/// On disk: the slots' bytes, then this as JSON, its length (u32, little endian), `TDM1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footer {
    /// Slot `s` is the bytes from `offsets[s]` to `offsets[s + 1]`.
    pub offsets: Vec<u64>,
    pub rows: u64,
    #[serde(default)]
    pub usage: Usage,
}

/// Why bytes are no footer.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FooterError {
    #[error("the object does not end in an exchange footer")]
    NoFooter,
    #[error("the exchange footer is {0} bytes long: read that many and try again")]
    Longer(u64),
    #[error("the exchange footer's offsets do not fit an object of {0} bytes")]
    Offsets(u64),
}

impl Footer {
    /// The bytes that a reader should fetch at first, to have most footers at once.
    pub const LIKELY_BYTES: u64 = 16 * 1024;

    /// The bytes that an exchange object ends with.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(MAGIC);
        bytes
    }

    /// Decodes the footer from the last bytes of an object of `size` bytes.
    ///
    /// # Errors
    /// [`FooterError::Longer`] if `tail` does not hold all of it; else the bytes are damaged.
    pub fn decode(tail: &[u8], size: u64) -> Result<Self, FooterError> {
        let body = tail.strip_suffix(MAGIC).ok_or(FooterError::NoFooter)?;
        let (body, length) = body.split_last_chunk::<4>().ok_or(FooterError::NoFooter)?;
        let length = u32::from_le_bytes(*length) as usize;
        let data_end =
            size.checked_sub((length + TRAILER_BYTES) as u64).ok_or(FooterError::NoFooter)?;
        let from = body
            .len()
            .checked_sub(length)
            .ok_or(FooterError::Longer((length + TRAILER_BYTES) as u64))?;
        let footer: Self =
            serde_json::from_slice(&body[from..]).map_err(|_| FooterError::NoFooter)?;
        let ordered = footer.offsets.is_sorted();
        if !ordered || footer.offsets.len() < 2 || footer.offsets.last() > Some(&data_end) {
            return Err(FooterError::Offsets(size));
        }
        Ok(footer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object() -> Vec<u8> {
        let mut bytes = vec![0; 30];
        bytes.extend(
            Footer { offsets: vec![0, 10, 10, 30], rows: 5, usage: Usage::default() }.encode(),
        );
        bytes
    }

    #[test]
    fn a_footer_comes_back_from_the_end_of_its_object() {
        let object = object();
        let footer = Footer::decode(&object[20..], object.len() as u64).expect("a footer");
        let offsets = vec![0, 10, 10, 30];
        assert_eq!(footer, Footer { offsets, rows: 5, usage: Usage::default() });
    }

    #[test]
    fn a_tail_that_is_too_short_says_how_much_is_needed() {
        let object = object();
        let size = object.len() as u64;
        let Err(FooterError::Longer(need)) = Footer::decode(&object[object.len() - 12..], size)
        else {
            panic!("a short tail was accepted")
        };
        let tail = &object[object.len() - usize::try_from(need).expect("small")..];
        Footer::decode(tail, size).expect("a footer");
    }

    #[test]
    fn damaged_bytes_are_an_error_and_never_a_panic() {
        let object = object();
        for at in 0..object.len() {
            for value in [0, 0xff, b'9', b'-'] {
                let mut damaged = object.clone();
                damaged[at] = value;
                let _ = Footer::decode(&damaged, damaged.len() as u64);
                let _ = Footer::decode(&damaged[at..], damaged.len() as u64);
            }
        }
        assert_eq!(Footer::decode(b"", 0), Err(FooterError::NoFooter));
        let mut wild =
            Footer { offsets: vec![0, 1_000], rows: 0, usage: Usage::default() }.encode();
        assert_eq!(
            Footer::decode(&wild, wild.len() as u64),
            Err(FooterError::Offsets(wild.len() as u64))
        );
        wild.truncate(4);
        assert_eq!(Footer::decode(&wild, 4), Err(FooterError::NoFooter));
    }
}
