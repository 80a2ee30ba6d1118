use std::fmt;
use std::str::FromStr;

/// Which faults are injected, where, and how often; e.g. `kill=0.2,oom@Worker=0.05,seed=7`.
#[derive(Debug, Clone, PartialEq)]
pub struct Faults {
    pub(super) rules: Vec<Rule>,
    /// Of the random choices.
    pub(super) seed: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rule {
    pub(super) kind: Kind,
    /// The function or queue; all of them, if it is not named.
    pub(super) target: Option<String>,
    /// From 0 to 1.
    pub(super) probability: f64,
}

/// What goes wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// An invocation's process is killed between two of its requests, or before its answer.
    Kill,
    /// The same, but only where no message of the invocation was delivered before.
    KillFirst,
    /// Every invocation of a message is killed as it writes what it has made, in a function of which
    /// there is one with more memory.
    OutOfMemory,
    /// Each request of an invocation waits.
    Slow,
    /// The answer to a function's write does not arrive; the write has happened.
    Lose,
    /// A message is delivered a second time.
    Duplicate,
    /// A message arrives seconds late.
    Delay,
}

impl Kind {
    pub(super) const ALL: [(Self, &'static str); 7] = [
        (Self::Kill, "kill"),
        (Self::KillFirst, "kill-first"),
        (Self::OutOfMemory, "oom"),
        (Self::Slow, "slow"),
        (Self::Lose, "lose"),
        (Self::Duplicate, "duplicate"),
        (Self::Delay, "delay"),
    ];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, n)| *n == name).map(|(kind, _)| *kind)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(kind, _)| kind == self).map_or("", |(_, n)| n);
        f.write_str(name)
    }
}

impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mut rules, mut seed) = (vec![], None);
        for part in text.split(',') {
            let Some((name, value)) = part.trim().split_once('=') else {
                return Err(format!("'{part}' is no fault: write kill=0.2"));
            };
            if name == "seed" {
                let number = value.parse().map_err(|_| format!("the seed '{value}' is no number"));
                seed = Some(number?);
                continue;
            }
            let (name, target) = match name.split_once('@') {
                Some((name, target)) => (name, Some(target.to_owned())),
                None => (name, None),
            };
            let Some(kind) = Kind::named(name) else {
                let known: Vec<_> = Kind::ALL.iter().map(|(_, name)| *name).collect();
                return Err(format!("there is no fault '{name}', only {}", known.join(", ")));
            };
            let probability = value.parse().ok().filter(|p| (0.0..=1.0).contains(p));
            let probability =
                probability.ok_or_else(|| format!("{name}={value} must be from 0 to 1"))?;
            rules.push(Rule { kind, target, probability });
        }
        Ok(Self { rules, seed: seed.unwrap_or_else(|| fastrand::u64(..)) })
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Rule { kind, target, probability } in &self.rules {
            let at = target.as_ref().map(|t| format!("@{t}")).unwrap_or_default();
            write!(f, "{kind}{at}={probability},")?;
        }
        write!(f, "seed={}", self.seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_written_as_they_are_read() {
        let text = "kill=0.2,oom@Worker=0.05,duplicate=1,seed=7";
        assert_eq!(text.parse::<Faults>().expect("faults").to_string(), text);
    }

    #[test]
    fn what_is_no_fault_is_refused_by_name() {
        for (text, says) in [
            ("kil=0.2", "'kil'"),
            ("kill=20", "kill=20"),
            ("kill=NaN", "kill=NaN"),
            ("kill", "'kill'"),
            ("kill=0.1,seed=x", "'x'"),
        ] {
            let error = text.parse::<Faults>().expect_err("refused");
            assert!(error.contains(says), "{error}");
        }
    }
}
