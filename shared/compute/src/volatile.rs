//! `random()` and `uuid()`, seeded by run, stage and task: an attempt that is repeated draws the
//! same numbers for the same rows, as long as its partitions run one after the other.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::arrow::array::{ArrayRef, Float64Array, StringArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use tidemill_protocol::{RunId, StageId, TaskId};

/// What all numbers of a task are drawn from.
pub(crate) fn seed(run: &RunId, stage: StageId, task: TaskId) -> u64 {
    let mut hasher = DefaultHasher::new();
    (run.as_str(), stage.0, task.0).hash(&mut hasher);
    hasher.finish()
}

/// Replaces the volatile functions by seeded ones.
pub(crate) fn register(registry: &mut impl FunctionRegistry, seed: u64) -> Result<()> {
    let drawn = Arc::new(AtomicU64::new(0));
    for kind in [Kind::Random, Kind::Uuid] {
        let signature = Signature::nullary(Volatility::Volatile);
        let function = Seeded { kind, seed, drawn: drawn.clone(), signature };
        registry.register_udf(Arc::new(ScalarUDF::new_from_impl(function)))?;
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Random,
    Uuid,
}

#[derive(Debug, Clone)]
struct Seeded {
    kind: Kind,
    seed: u64,
    /// How many numbers have been drawn in the task.
    drawn: Arc<AtomicU64>,
    signature: Signature,
}

impl PartialEq for Seeded {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, self.seed) == (other.kind, other.seed)
    }
}

impl Eq for Seeded {}

impl Hash for Seeded {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.kind, self.seed).hash(state);
    }
}

impl Seeded {
    fn draw(&self, count: usize) -> impl Iterator<Item = u64> + use<> {
        let (seed, count) = (self.seed, count as u64);
        let first = self.drawn.fetch_add(count, Ordering::Relaxed);
        (first..first + count).map(move |n| split_mix(seed, n))
    }
}

/// The `n`th number of a sequence: SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom
/// number generators", OOPSLA 2014).
fn split_mix(seed: u64, n: u64) -> u64 {
    let mut z = seed.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number from 0 to below 1, of the 53 bits that a double has.
fn fraction(number: u64) -> f64 {
    (number >> 11) as f64 / (1u64 << 53) as f64
}

/// RFC 9562, version 4.
fn uuid(high: u64, low: u64) -> String {
    let number = (u128::from(high) << 64) | u128::from(low);
    let number = number & 0xffff_ffff_ffff_0fff_3fff_ffff_ffff_ffff;
    let hex = format!("{:032x}", number | 0x0000_0000_0000_4000_8000_0000_0000_0000);
    let (a, b, c, d, e) = (&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
    format!("{a}-{b}-{c}-{d}-{e}")
}

impl ScalarUDFImpl for Seeded {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Random => "random",
            Kind::Uuid => "uuid",
        }
    }

    fn aliases(&self) -> &[String] {
        static RAND: std::sync::LazyLock<[String; 1]> =
            std::sync::LazyLock::new(|| ["rand".to_owned()]);
        match self.kind {
            Kind::Random => &*RAND,
            Kind::Uuid => &[],
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.kind {
            Kind::Random => DataType::Float64,
            Kind::Uuid => DataType::Utf8,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let array: ArrayRef = match self.kind {
            Kind::Random => Arc::new(Float64Array::from_iter_values(self.draw(rows).map(fraction))),
            Kind::Uuid => {
                let (high, low) = (self.draw(rows), self.draw(rows));
                let all = high.zip(low).map(|(high, low)| uuid(high, low));
                Arc::new(StringArray::from_iter_values(all))
            }
        };
        Ok(ColumnarValue::Array(array))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spread_evenly_and_come_back_for_the_same_seed() {
        let drawn: Vec<_> = (0..10_000).map(|n| fraction(split_mix(7, n))).collect();
        let mean = drawn.iter().sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
        assert!(drawn.iter().all(|x| (0.0..1.0).contains(x)));
        assert_eq!(split_mix(7, 3), split_mix(7, 3));
        assert_ne!(split_mix(7, 3), split_mix(8, 3));
    }

    #[test]
    fn a_uuid_says_its_version_and_variant() {
        let text = uuid(u64::MAX, 0);
        assert_eq!(text, "ffffffff-ffff-4fff-8000-000000000000");
    }
}
