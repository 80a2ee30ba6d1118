//! What a call prints.

use std::collections::VecDeque;
use std::io;

use tokio::net::unix::pipe::Receiver;

/// Bytes that are kept of the beginning, and as many of the end.
const KEPT_BYTES: usize = 32 * 1024;

/// A pipe holds no more by itself; whoever fills it faster than it is read does not keep its reader.
const PIPE_BYTES: usize = 64 * 1024;

/// The beginning and the end of what was printed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Captured {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    /// Bytes between the two that were not kept.
    pub lost_bytes: u64,
}

impl Captured {
    fn push(&mut self, bytes: &[u8]) {
        let room = KEPT_BYTES.saturating_sub(self.head.len());
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend(head);
        // of more than the tail holds only the end is looked at
        let skipped = rest.len().saturating_sub(KEPT_BYTES);
        self.tail.extend(&rest[skipped..]);
        let over = self.tail.len().saturating_sub(KEPT_BYTES);
        self.tail.drain(..over);
        self.lost_bytes += (skipped + over) as u64;
    }

    /// As text, with a line in the place of what was not kept; what is no UTF-8 is replaced.
    pub fn text(&self) -> String {
        let mut bytes = self.head.clone();
        if self.lost_bytes > 0 {
            bytes.extend(format!("\n… {} bytes are left out …\n", self.lost_bytes).bytes());
        }
        bytes.extend(&self.tail);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// One stream of a child.
#[derive(Debug)]
pub(crate) struct Output {
    pipe: Receiver,
    is_open: bool,
    captured: Captured,
}

impl Output {
    pub(crate) fn new(pipe: Receiver) -> Self {
        Self { pipe, is_open: true, captured: Captured::default() }
    }

    /// Whether more may come.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Waits for more, and takes it.
    pub(crate) async fn read(&mut self) {
        match self.pipe.readable().await {
            Ok(()) => {
                let mut bytes = [0; 8192];
                match self.pipe.try_read(&mut bytes) {
                    Ok(0) => self.is_open = false,
                    Ok(n) => self.captured.push(&bytes[..n]),
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => self.is_open = false,
                }
            }
            Err(_) => self.is_open = false,
        }
    }

    /// Takes what has been printed until now, without waiting.
    pub(crate) fn take(&mut self) -> Captured {
        let mut bytes = [0; 8192];
        let mut taken = 0;
        while self.is_open && taken <= PIPE_BYTES {
            // past tokio, which may not have heard of it yet
            match rustix::io::read(&self.pipe, &mut bytes) {
                Ok(0) => self.is_open = false,
                Ok(n) => {
                    self.captured.push(&bytes[..n]);
                    taken += n;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => break,
            }
        }
        std::mem::take(&mut self.captured)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_and_the_end_are_kept() {
        let mut captured = Captured::default();
        captured.push(b"first\n");
        for n in 0..100_000 {
            captured.push(format!("line {n}\n").as_bytes());
        }
        let text = captured.text();
        assert!(text.starts_with("first\nline 0\n"), "{}", &text[..40]);
        assert!(text.ends_with("line 99999\n"));
        assert!(text.contains("bytes are left out"));
        assert!(text.len() < 2 * KEPT_BYTES + 100);
        let mut whole = Captured::default();
        whole.push(&[b'x'; 3 * KEPT_BYTES]);
        assert_eq!(whole.lost_bytes, KEPT_BYTES as u64);
    }
}
