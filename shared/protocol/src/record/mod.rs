//! The stored records, one file each. All are JSON and carry their version.

mod commit;
mod footer;
mod group;
mod layout;
mod message;
mod outcome;
mod plan;
mod preview;
mod rejected;
mod run;
mod timeline;
mod usage;

pub use commit::{AttemptError, AttemptStart, Commit, ResultFile};
pub use footer::{Footer, FooterError};
pub use group::GroupIndex;
pub(crate) use layout::share_messages;
pub use layout::{InputIndex, Layout, ObjectIndex, TaskSlice};
pub use message::{TaskMessage, WatchMessage};
pub use outcome::{Outcome, StageSummary, Status};
pub use plan::{Input, Output, Plan, Publication, Read, Stage, StageIo};
pub use preview::Preview;
pub use rejected::RejectedPart;
pub use run::{PinnedObject, Run, Source};
pub use timeline::{StageTimes, TaskError, TaskTimes, Timeline};
pub use usage::Usage;

use serde::{Deserialize, Serialize};

/// A record as it is stored: with the version of its form.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "version")]
pub enum Versioned<T> {
    #[serde(rename = "1")]
    V1(T),
}

impl<T> Versioned<T> {
    /// The record in its latest form.
    pub fn into_latest(self) -> T {
        let Self::V1(record) = self;
        record
    }
}
