use proptest::prelude::{Rng, RngExt};
use proptest::test_runner::TestRng;

/// Random choices.
pub(crate) struct Dice<'a>(pub(crate) &'a mut TestRng);

impl Dice<'_> {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0.random_range(0..n)
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub(crate) fn seed(&mut self) -> u64 {
        self.0.next_u64()
    }
}
