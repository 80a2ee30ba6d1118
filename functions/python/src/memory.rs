//! How much memory a process and its children have.

use std::fs;
use std::path::Path;

/// Deep enough for what starts processes, and an end for what starts them in a circle of ids.
const LEVELS_MAX: usize = 16;

/// Bytes that are resident: pages that a fork shares with its parent are counted for both. Zero where
/// there is no `/proc`, and of a process that has ended.
pub(crate) fn resident_bytes(process: u32) -> u64 {
    of_tree(process, LEVELS_MAX)
}

fn of_tree(process: u32, levels: usize) -> u64 {
    let folder = Path::new("/proc").join(process.to_string());
    // the second number is of pages; see proc_pid_statm(5)
    let statm = fs::read_to_string(folder.join("statm")).unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
    let own = pages * rustix::param::page_size() as u64;
    if levels == 0 {
        return own;
    }
    let threads = fs::read_dir(folder.join("task")).into_iter().flatten().flatten();
    let children = threads.flat_map(|thread| {
        let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        children.split_whitespace().filter_map(|n| n.parse().ok()).collect::<Vec<u32>>()
    });
    own + children.map(|child| of_tree(child, levels - 1)).sum::<u64>()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_memory_and_one_that_is_not_there_has_none() {
        assert!(resident_bytes(std::process::id()) > 100_000);
        assert_eq!(resident_bytes(u32::MAX), 0);
    }
}
