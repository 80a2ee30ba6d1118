//! What runs cost: prices, the estimate before a run and the actual figures of one, in the same terms.
//!
//! - **estimate**: [`Bounds`] of what a plan takes, before anything runs; [`StageEstimate`] of a stage.
//! - **actual**: what a run that succeeded took; **deviation**: how far that is outside of its estimate.
//! - **budget**: what a run has spent and may spend yet, which keeps it within `max_cost_usd`.
//! - **scenario**: what a simulation assumes; **bottleneck**: what limits a [`SimulatedRun`].
//! - **scale**: how many tasks and partitions bytes are worth, and a plan over more of them.
//!
//! Dollars of a run = worker seconds x (GB of memory x GB-second + a GET a second) + reads x GET
//! + writes x PUT + messages x (invocation + 3 requests to the queue), at the prices of [`price`].

mod actual;
pub(crate) mod budget;
mod estimate;
mod figures;
mod limits;
mod price;
mod requests;
mod scale;
mod simulate;
mod workers;

pub(crate) use actual::actual;
pub(crate) use budget::spent;
pub use estimate::{Estimate, estimate};
pub use figures::{Actual, Bounds, CostFigures, Deviation, Estimated, StageEstimate};
pub use limits::limits;
pub use price::{dollars, idle_usd_per_month};
pub use scale::{TASK_BYTES, asked_partitions, partitions, scaled, splits};
pub use simulate::{Bottleneck, Scenario, SimulatedRun, StageSpan, simulate};
pub use workers::Workers;
