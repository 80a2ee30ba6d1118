use std::time::Duration;

/// What a queue is created with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) visibility: Duration,
    pub(crate) delay: Duration,
    pub(crate) wait: Duration,
    pub(crate) retention: Duration,
    /// Bytes.
    pub(crate) max_message: usize,
}

impl Default for Attributes {
    /// The defaults of SQS; messages of up to 1 MiB.
    fn default() -> Self {
        Self {
            visibility: Duration::from_secs(30),
            delay: Duration::ZERO,
            wait: Duration::ZERO,
            retention: Duration::from_secs(4 * 24 * 3600),
            max_message: 1024 * 1024,
        }
    }
}
