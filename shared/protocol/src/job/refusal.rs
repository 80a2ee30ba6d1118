use crate::bucket::BucketError;

/// One sentence that refuses a job: what is wrong, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Refusal {
    pub sentence: String,
    /// The member of the job that is wrong, if it is one: a JSON pointer (RFC 6901).
    pub pointer: Option<String>,
}

impl Refusal {
    /// Of all of a job, or of something that is no member of it.
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), pointer: None }
    }

    /// Of the member at a JSON pointer.
    pub(crate) fn at(pointer: &str, sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), pointer: Some(pointer.to_owned()) }
    }
}

/// Why a job that lies in the bucket was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobReadError {
    /// No other delivery of its event reads it either.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Another delivery may read it.
    #[error(transparent)]
    Bucket(#[from] BucketError),
}
