//! Standard error while bars are drawn on it, and the size of the terminal.

use std::io::{self, IsTerminal, Write};
use std::sync::LazyLock;

use console::Term;
use indicatif::MultiProgress;

/// All bars of this process: whoever writes a line has to know of them.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Where bars are drawn; nowhere if standard error is no terminal.
pub(crate) fn bars() -> Option<&'static MultiProgress> {
    io::stderr().is_terminal().then(|| &*BARS)
}

/// Whether somebody sits there who can be asked.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Writes a line to standard error, above the bars.
pub(crate) fn say(line: &str) {
    // nobody is left to be told that standard error is closed
    let _ = BARS.suspend(|| writeln!(io::stderr(), "{line}"));
}

/// Standard error for log lines, above the bars.
pub(crate) struct AboveBars;

impl Write for AboveBars {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        BARS.suspend(|| io::stderr().write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Columns of the terminal that standard output is, if it is one.
pub(crate) fn width() -> Option<usize> {
    let columns = || Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
    io::stdout().is_terminal().then(columns).flatten()
}
