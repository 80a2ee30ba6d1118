use clap::Args;
use serde::Serialize;

/// Options of a job, as its file names them.
#[derive(Debug, Default, Clone, PartialEq, Args, Serialize)]
pub(crate) struct Options {
    /// Spread the job over this many partitions, whatever its size.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) partitions: Option<u32>,
    /// Seconds after which the run ends as failed.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<u32>,
    /// Dollars that the run's workers may take, by the list prices of AWS.
    #[arg(long, value_name = "USD", value_parser = dollars, allow_negative_numbers = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    max_cost_usd: Option<f64>,
    /// What becomes of lines of CSV and JSON files that cannot be read.
    #[arg(long, value_name = "WHAT", value_parser = ["fail", "quarantine"])]
    #[serde(skip_serializing_if = "Option::is_none")]
    on_bad_row: Option<String>,
}

/// JSON has no number for what is not finite, so such a cap would be none.
fn dollars(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|usd: &f64| usd.is_finite() && *usd > 0.0);
    number.ok_or_else(|| "it must be a number of dollars above 0, such as 0.50".into())
}
