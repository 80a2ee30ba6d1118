use chrono::{DateTime, Utc};

use crate::calls::ContentName;
use crate::ids::{AttemptId, JobName, RunId, StageId, Submission, TaskId};
use crate::record::RejectedPart;

/// Every key that Tidemill itself writes or looks for: the whole layout of the bucket on one page.
///
/// All of them are created once (`If-None-Match: *`) and never changed. What users own is in
/// [`Key::JOBS`], [`Key::INBOX`], [`Key::PIPELINES`], [`Key::TABLES`] and [`Key::CALLS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key<'a> {
    /// `runs/<run>/run.json`: what was asked for. By the planner.
    Run(&'a RunId),
    /// `runs/<run>/plan.json`: the stages and the pinned inputs. By the planner.
    Plan(&'a RunId),
    /// `runs/<run>/outcome.json`: how the run ended, with its manifest. By whoever ends it first.
    Outcome(&'a RunId),
    /// `runs/<run>/tasks.json`: when its tasks ran.
    Tasks(&'a RunId),
    /// `runs/<run>/cancel`: the run is to end as cancelled. By anyone who may cancel.
    Cancel(&'a RunId),
    /// `runs/<run>/closed`: all that follows the outcome is done. By whoever finishes it.
    Closed(&'a RunId),
    /// `work/<run>/layout/<stage>`: the stage's tasks and where they read. By the planner for
    /// stages that read tables only, else by the committer that completes the stage's inputs.
    Layout(&'a RunId, StageId),
    /// `work/<run>/sent/<stage>`: the stage's tasks are in the queue. By the layout's creator.
    Sent(&'a RunId, StageId),
    /// `work/<run>/out/<stage>/<group>/<task>`: the task's output; its existence is the commit.
    Out(&'a RunId, StageId, TaskId),
    /// `work/<run>/done/<stage>/<group>`: all tasks of the group are committed, and what.
    DoneGroup(&'a RunId, StageId, u32),
    /// `work/<run>/done/<stage>/all`: all tasks of the stage are committed.
    Done(&'a RunId, StageId),
    /// `work/<run>/attempts/<stage>/<task>/<attempt>`: an attempt has started, of the task or of
    /// several from there on; with `.error` after it: why it failed.
    Attempt(&'a RunId, StageId, TaskId, &'a AttemptId),
    /// `work/<run>/again/<stage>/<task>`: the message of a straggler has been sent a second time.
    /// By the watcher.
    Again(&'a RunId, StageId, TaskId),
    /// `work/<run>/dead/<stage>/<task>/<message>`: a message was given up: by its
    /// queue, or for another one to a large worker.
    Dead(&'a RunId, StageId, TaskId, &'a str),
    /// `work/<run>/files/<stage>/<task>/<attempt>/<name>`: a file of an attempt that is published
    /// only after the outcome. By a worker.
    File(&'a RunId, StageId, TaskId, &'a AttemptId, &'a str),
    /// `work/<run>/columns`: those of the table that calls write into. By the worker that knows some first.
    Columns(&'a RunId),
    /// `results/<job>/<run>/part-<task>.parquet`: a part of the result.
    Part(&'a JobName, &'a RunId, TaskId),
    /// `results/<job>/<run>/part-<task>-<first>.calls`: what some of a task's calls came to, from the
    /// one of this number on; its existence is their commit. By a Python worker.
    CallsPart(&'a JobName, &'a RunId, TaskId, u64),
    /// `results/<job>/<run>/rejects/<table>-<file>-<from>-<to>-<lines>.json`: lines of a part of a
    /// file that could not be read. By a worker, before its commit.
    Rejects(&'a JobName, &'a RunId, RejectedPart),
    /// `tables/…/<folders>tm-<run>-<task>-<name>`: a file of a table, given the table's folder and
    /// the file's name with the folders of its partition. No two runs, tasks or files of a task
    /// share one. By whoever publishes.
    Published(&'a str, &'a RunId, TaskId, &'a str),
    /// `results/<job>/<run>/_SUCCESS`: a copy of the outcome.
    Success(&'a JobName, &'a RunId),
    /// `results/<job>/<run>/_preview.json`: its first rows, for who does not read Parquet.
    Preview(&'a JobName, &'a RunId),
    /// `results/<job>/<run>/_report.html`: the run as a page, if its job asks for one.
    Report(&'a JobName, &'a RunId),
    /// `results/<job>/<run>/_FAILED`: a copy of the outcome.
    Failed(&'a JobName, &'a RunId),
}

/// The milliseconds since 1970 that have 13 digits.
const RECENT_MILLIS_MAX: i64 = 9_999_999_999_999;

impl Key<'_> {
    /// Job files; dropping one here starts a run.
    pub const JOBS: &'static str = "jobs/";
    /// Those of them whose submitters know their runs.
    pub const SUBMITTED: &'static str = "jobs/api/";
    /// Files that pipelines run on.
    pub const INBOX: &'static str = "inbox/";
    /// Standing jobs.
    pub const PIPELINES: &'static str = "pipelines/";
    /// A folder is a table.
    pub const TABLES: &'static str = "tables/";
    /// Functions of Python that statements call, each a file.
    pub const FUNCTIONS: &'static str = "functions/";
    /// What jobs of calls refer to: functions, objects and arguments.
    pub const CALLS: &'static str = "calls/";
    /// Objects of jobs of calls by the hash of their content, which is never another.
    pub const SHARED: &'static str = "calls/shared/";
    /// What keys of parts that hold calls end with.
    pub const CALLS_PART: &'static str = ".calls";
    /// An empty object for each run, so that a LIST has the newest runs first.
    pub const RECENT: &'static str = "recent/";
    /// What is kept of each run: its records, and the key that cancels it.
    pub const RUNS: &'static str = "runs/";
    /// What runs write for themselves; swept after success, and kept for a week for `retry` else.
    pub const WORK: &'static str = "work/";
    /// The files of results, by job and run.
    pub const RESULTS: &'static str = "results/";

    /// `jobs/api/<job>/<submission>.<extension>`: a job file whose run is known before it is noticed.
    pub fn submission(job: &JobName, submission: &Submission, extension: &str) -> String {
        format!("{}{job}/{submission}.{extension}", Self::SUBMITTED)
    }

    /// `jobs/api/_keys/<hash>`: what an `Idempotency-Key` of the HTTP API was used for. It starts nothing.
    pub fn used(hash: &str) -> String {
        format!("{}_keys/{hash}", Self::SUBMITTED)
    }

    /// `recent/<time>-<run>`, where a later time is a smaller number: milliseconds that are left to one in the year
    /// 2286.
    pub fn recent(created: DateTime<Utc>, run: &RunId) -> String {
        let left = RECENT_MILLIS_MAX.saturating_sub(created.timestamp_millis());
        format!("{}{left:013}-{run}", Self::RECENT)
    }

    /// The run that a key under `recent/` tells of.
    pub fn recent_run(key: &str) -> Option<RunId> {
        let (_, run) = key.strip_prefix(Self::RECENT)?.split_once('-')?;
        RunId::parse(run).ok()
    }

    /// When the run was asked for that a key under `recent/` tells of.
    pub fn recent_time(key: &str) -> Option<DateTime<Utc>> {
        let (left, _) = key.strip_prefix(Self::RECENT)?.split_once('-')?;
        DateTime::from_timestamp_millis(RECENT_MILLIS_MAX - left.parse::<i64>().ok()?)
    }

    /// `runs/<run>/`: what is kept of a run.
    pub fn run_folder(run: &RunId) -> String {
        format!("runs/{run}/")
    }

    /// `work/<run>/`: everything that may go once the run is over.
    pub fn work_folder(run: &RunId) -> String {
        format!("work/{run}/")
    }

    /// `work/<run>/out/<stage>/<group>/`: the commits of a group, one LIST.
    pub fn out_folder(run: &RunId, stage: StageId, group: u32) -> String {
        format!("work/{run}/out/{stage}/{group:04}/")
    }

    /// `work/<run>/out/<stage>/`: all commits of a stage.
    pub fn stage_out_folder(run: &RunId, stage: StageId) -> String {
        format!("work/{run}/out/{stage}/")
    }

    /// `work/<run>/done/<stage>/`: the markers of a stage.
    pub fn done_folder(run: &RunId, stage: StageId) -> String {
        format!("work/{run}/done/{stage}/")
    }

    /// `work/<run>/attempts/<stage>/`: the attempts of all tasks of a stage.
    pub fn stage_attempts_folder(run: &RunId, stage: StageId) -> String {
        format!("work/{run}/attempts/{stage}/")
    }

    /// `work/<run>/dead/<stage>/<task>/`: the messages of a task that were given up.
    pub fn dead_folder(run: &RunId, stage: StageId, task: TaskId) -> String {
        format!("work/{run}/dead/{stage}/{:06}/", task.0)
    }

    /// `work/<run>/dead/<stage>/`: the messages of all tasks of a stage that were given up.
    pub fn stage_dead_folder(run: &RunId, stage: StageId) -> String {
        format!("work/{run}/dead/{stage}/")
    }

    /// The run that a cancel key names.
    pub fn cancelled_run(key: &str) -> Option<RunId> {
        let run = key.strip_prefix(Key::RUNS)?.strip_suffix("/cancel")?;
        RunId::parse(run).ok()
    }

    /// `work/<run>/attempts/<stage>/<task>/`: the attempts of a task, or of tasks that share a
    /// message with it.
    pub fn attempts_folder(run: &RunId, stage: StageId, task: TaskId) -> String {
        format!("work/{run}/attempts/{stage}/{:06}/", task.0)
    }

    /// `results/<job>/<run>/rejects/`: the lines that could not be read.
    pub fn rejects_folder(job: &JobName, run: &RunId) -> String {
        format!("results/{job}/{run}/rejects/")
    }

    /// `results/<job>/<run>/part-<task>-`: what a task's calls came to.
    pub fn calls_parts(job: &JobName, run: &RunId, task: TaskId) -> String {
        format!("results/{job}/{run}/part-{:05}-", task.0)
    }

    /// `calls/shared/<name>`: an object of jobs of calls, by its content.
    pub fn shared_object(name: &ContentName) -> String {
        format!("{}{name}", Self::SHARED)
    }

    /// `results/<job>/<run>/`.
    pub fn result_folder(job: &JobName, run: &RunId) -> String {
        format!("results/{job}/{run}/")
    }
}

impl std::fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Key::Run(run) => write!(f, "runs/{run}/run.json"),
            Key::Plan(run) => write!(f, "runs/{run}/plan.json"),
            Key::Outcome(run) => write!(f, "runs/{run}/outcome.json"),
            Key::Tasks(run) => write!(f, "runs/{run}/tasks.json"),
            Key::Cancel(run) => write!(f, "runs/{run}/cancel"),
            Key::Closed(run) => write!(f, "runs/{run}/closed"),
            Key::Layout(run, s) => write!(f, "work/{run}/layout/{s}"),
            Key::Sent(run, s) => write!(f, "work/{run}/sent/{s}"),
            Key::Out(run, s, t) => {
                write!(f, "work/{run}/out/{s}/{:04}/{:06}", t.group(), t.0)
            }
            Key::DoneGroup(run, s, g) => write!(f, "work/{run}/done/{s}/{g:04}"),
            Key::Done(run, s) => write!(f, "work/{run}/done/{s}/all"),
            Key::Attempt(run, s, t, a) => {
                write!(f, "work/{run}/attempts/{s}/{:06}/{a}", t.0)
            }
            Key::Again(run, s, t) => write!(f, "work/{run}/again/{s}/{:06}", t.0),
            Key::Dead(run, s, t, m) => write!(f, "work/{run}/dead/{s}/{:06}/{m}", t.0),
            Key::File(run, s, t, a, n) => write!(f, "work/{run}/files/{s}/{:06}/{a}/{n}", t.0),
            Key::Columns(run) => write!(f, "work/{run}/columns"),
            Key::Part(job, run, t) => write!(f, "results/{job}/{run}/part-{:05}.parquet", t.0),
            Key::CallsPart(job, run, t, first) => {
                write!(f, "{}{first:010}{}", Key::calls_parts(job, run, *t), Key::CALLS_PART)
            }
            Key::Rejects(job, run, part) => write!(f, "results/{job}/{run}/rejects/{part}"),
            Key::Published(folder, run, t, name) => {
                let (folders, file) = name.rsplit_once('/').unwrap_or(("", name));
                let slash = if folders.is_empty() { "" } else { "/" };
                write!(f, "{folder}{folders}{slash}tm-{run}-{:05}-{file}", t.0)
            }
            Key::Preview(job, run) => write!(f, "results/{job}/{run}/_preview.json"),
            Key::Report(job, run) => write!(f, "results/{job}/{run}/_report.html"),
            Key::Success(job, run) => write!(f, "results/{job}/{run}/_SUCCESS"),
            Key::Failed(job, run) => write!(f, "results/{job}/{run}/_FAILED"),
        }
    }
}

/// Whether a key is no data: it ends in `/`, or a segment starts with `_` or `.`.
/// Such keys are no part of a table and start nothing.
pub fn is_hidden(key: &str) -> bool {
    key.ends_with('/') || key.split('/').any(|s| s.starts_with('_') || s.starts_with('.'))
}

/// Whether a folder can be a table that a job writes to: `tables/<table>/`, or one below it.
pub fn is_table_folder(folder: &str) -> bool {
    let table = folder.strip_prefix(Key::TABLES).and_then(|t| t.strip_suffix('/'));
    table.is_some_and(|t| t.split('/').all(|s| !s.is_empty() && !s.starts_with(['.', '_'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_keys_are_folders_and_dot_or_underscore_segments() {
        for key in ["inbox/", "inbox/_tmp/a.csv", "inbox/.a.csv", "a/b/_SUCCESS", "a/."] {
            assert!(is_hidden(key), "{key}");
        }
        for key in ["inbox/a_b.csv", "inbox/a.csv", "inbox/a/b.c"] {
            assert!(!is_hidden(key), "{key}");
        }
    }

    #[test]
    fn the_key_of_a_later_run_comes_before_those_of_earlier_ones() {
        let run = RunId::parse("top-20260102T030405678Z-00ff").expect("a run id");
        let key = |time: &str| Key::recent(time.parse().expect("a time"), &run);
        let times =
            ["2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.677Z", "1999-12-31T23:59:59Z"];
        let keys = times.map(key);
        assert!(keys.is_sorted(), "{keys:?}");
        let told = keys.each_ref().map(|key| Key::recent_time(key).map(|t| t.to_rfc3339()));
        assert_eq!(told[0].as_deref(), Some("2026-01-02T03:04:05.678+00:00"));
        assert_eq!(Key::recent_run(&keys[0]), Some(run));
    }

    #[test]
    fn a_published_file_lies_in_the_folder_of_its_partition() {
        let run = RunId::parse("r").expect("a run id");
        let key = |name| Key::Published("tables/t/", &run, TaskId(3), name).to_string();
        assert_eq!(key("000.csv"), "tables/t/tm-r-00003-000.csv");
        assert_eq!(key("y=1/m=2/000.csv"), "tables/t/y=1/m=2/tm-r-00003-000.csv");
    }

    #[test]
    fn tables_are_folders_below_tables() {
        for folder in ["tables/t/", "tables/t/u/"] {
            assert!(is_table_folder(folder), "{folder}");
        }
        for folder in ["tables/", "tables//", "tables/t", "x/t/", "tables/_t/", "tables/../t/"] {
            assert!(!is_table_folder(folder), "{folder}");
        }
    }

    #[test]
    fn a_commit_lies_in_the_folder_that_its_group_lists() {
        let run = RunId::parse("r").expect("a run id");
        let key = Key::Out(&run, StageId(2), TaskId(130)).to_string();
        assert!(key.starts_with(&Key::out_folder(&run, StageId(2), 2)));
        assert!(key.starts_with(&Key::stage_out_folder(&run, StageId(2))));
    }
}
