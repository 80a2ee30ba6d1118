//! What runs take: prices, the estimate before a run and the account of one, both in the same terms.

pub(crate) mod budget;
mod estimate;
mod figures;
mod limits;
mod play;
mod price;
mod requests;
mod scale;
mod taken;
mod workers;

pub use estimate::{Estimate, StageEstimate, estimate};
pub use figures::{Between, Errors, Estimated, Figures, Taken};
pub use limits::limits;
pub use play::{Cause, Play, Played, Stretch, play};
pub use price::{dollars, idle_usd_per_month};
pub use scale::{TASK_BYTES, asked_partitions, partitions, scaled, splits};
pub(crate) use taken::taken;
pub use workers::Workers;
