//! What runs take: prices, the estimate before a run and the account of one, both in the same terms.

mod actual;
pub(crate) mod budget;
mod estimate;
mod figures;
mod limits;
mod play;
mod price;
mod requests;
mod scale;
mod workers;

pub(crate) use actual::actual;
pub use estimate::{Estimate, StageEstimate, estimate};
pub use figures::{Actual, Bounds, CostFigures, Deviation, Estimated};
pub use limits::limits;
pub use play::{Cause, Play, Played, Stretch, play};
pub use price::{dollars, idle_usd_per_month};
pub use scale::{TASK_BYTES, asked_partitions, partitions, scaled, splits};
pub use workers::Workers;
