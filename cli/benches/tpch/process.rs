//! Processor time of a process and all below it: proc(5).

use std::collections::HashMap;

/// The kernel counts in hundredths of a second.
const TICKS: f64 = 100.0;

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Seconds of user and system time of a process, its children and theirs, those that ended
/// included.
pub(crate) fn cpu_seconds(root: u32) -> f64 {
    let all = processes();
    let mut below = vec![root];
    let mut ticks = 0;
    while let Some(pid) = below.pop() {
        ticks += all.get(&pid).map_or(0, |p| p.ticks);
        below.extend(all.iter().filter(|(_, p)| p.parent == pid).map(|(pid, _)| *pid));
    }
    ticks as f64 / TICKS
}

struct Process {
    parent: u32,
    ticks: u64,
}

fn processes() -> HashMap<u32, Process> {
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, read(pid)?))).collect()
}

fn read(pid: u32) -> Option<Process> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // the command's name is in parentheses and may hold anything
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11..15)?.iter().filter_map(|t| t.parse::<u64>().ok()).sum();
    Some(Process { parent: fields.get(1)?.parse().ok()?, ticks })
}
