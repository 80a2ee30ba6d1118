use std::fmt;
use std::str::FromStr;

/// A part of a file, and how many of its lines were set aside: the name of the object that holds
/// them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RejectedPart {
    /// The table's number in the plan.
    pub table: u32,
    /// The file's number in its table.
    pub file: u32,
    /// Bytes of the file, without `to`.
    pub from: u64,
    pub to: u64,
    pub lines: u64,
}

impl RejectedPart {
    /// The same part, of which so many lines are rejected.
    #[must_use]
    pub fn of_lines(self, lines: u64) -> Self {
        Self { lines, ..self }
    }

    /// How many lines these parts have. A reader that stopped early leaves a part of fewer lines,
    /// and two scans of a table may cut a file otherwise: of parts within others only those count.
    pub fn count(mut parts: Vec<Self>) -> u64 {
        // the largest of those that start at a place comes first
        parts.sort_unstable_by_key(|p| {
            (p.table, p.file, p.from, std::cmp::Reverse((p.to, p.lines)))
        });
        let (mut lines, mut last) = (0, None::<Self>);
        for part in parts {
            let is_within =
                |of: &Self| (of.table, of.file) == (part.table, part.file) && part.to <= of.to;
            if !last.as_ref().is_some_and(is_within) {
                lines += part.lines;
                last = Some(part);
            }
        }
        lines
    }
}

impl fmt::Display for RejectedPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, file, from, to, lines } = self;
        write!(f, "{table}-{file:05}-{from:012}-{to:012}-{lines}.json")
    }
}

impl FromStr for RejectedPart {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let numbers = text.strip_suffix(".json").ok_or(())?.split('-').map(str::parse::<u64>);
        let numbers: Vec<u64> = numbers.collect::<Result<_, _>>().map_err(|_| ())?;
        let [table, file, from, to, lines] = numbers[..] else { return Err(()) };
        let small = |n: u64| u32::try_from(n).map_err(|_| ());
        Ok(Self { table: small(table)?, file: small(file)?, from, to, lines })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(file: u32, from: u64, to: u64, lines: u64) -> RejectedPart {
        RejectedPart { table: 1, file, from, to, lines }
    }

    #[test]
    fn a_part_is_read_from_its_name() {
        let part = part(12, 0, 4_000_000_000, 7);
        assert_eq!(part.to_string().parse(), Ok(part));
        assert_eq!("part-00000.parquet".parse::<RejectedPart>(), Err(()));
    }

    #[test]
    fn lines_that_were_seen_twice_count_once() {
        let whole = vec![part(0, 0, 100, 3), part(0, 100, 200, 4), part(1, 0, 100, 5)];
        assert_eq!(RejectedPart::count(whole.clone()), 12);
        let again = [part(0, 0, 100, 2), part(0, 50, 100, 1), part(1, 0, 50, 1)];
        assert_eq!(RejectedPart::count([whole, again.to_vec()].concat()), 12);
    }
}
