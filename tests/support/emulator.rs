use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use serde_json::Value;
use tidemill_aws::{S3Bucket, bucket};
use tidemill_protocol::bucket::Bucket;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_tidemill");

/// How long anything may take before a test says that it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// `tidemill local` as a process of its own.
pub(crate) struct Emulator {
    child: Child,
    pub(crate) endpoint: String,
    pub(crate) bucket: S3Bucket,
    pub(crate) config: aws_config::SdkConfig,
    dir: tempfile::TempDir,
    /// What it prints from then on.
    output: JoinHandle<Vec<String>>,
}

impl Emulator {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With more arguments on its command line.
    pub(crate) async fn start_with(arguments: &[String]) -> Self {
        Self::start_in(tempfile::tempdir().expect("a folder"), arguments).await
    }

    /// Sends it a signal, waits for its end, and starts it again on the same folder.
    pub(crate) async fn restart_after(mut self, signal: &str) -> Self {
        let ended = self.signal(signal);
        assert!(ended.success() || signal == "KILL", "{ended}");
        let dir = std::mem::replace(&mut self.dir, tempfile::tempdir().expect("a folder"));
        Self::start_in(dir, &[]).await
    }

    /// Asks it to stop; what it printed since it was ready.
    pub(crate) fn stop(mut self) -> Vec<String> {
        let ended = self.signal("TERM");
        assert!(ended.success(), "{ended}");
        let output = std::mem::replace(&mut self.output, std::thread::spawn(Vec::new));
        output.join().expect("its output")
    }

    fn signal(&mut self, signal: &str) -> ExitStatus {
        let pid = self.pid().to_string();
        let _ = Command::new("kill").args(["-s", signal, &pid]).status();
        self.child.wait().expect("it ends")
    }

    async fn start_in(dir: tempfile::TempDir, arguments: &[String]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["local", "--port", "0", "--dir"]).arg(dir.path()).args(arguments);
        Self::start_by(command, dir).await
    }

    /// By a command that becomes it, with its buckets in `dir`.
    pub(crate) async fn start_by(mut command: Command, dir: tempfile::TempDir) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the emulator starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let endpoint = lines
            .by_ref()
            .map(|line| line.expect("a line"))
            .find_map(|line| {
                Some(line.split_once("endpoint")?.1.split_whitespace().next()?.to_owned())
            })
            .expect("the endpoint is printed");
        let output = std::thread::spawn(move || lines.map_while(Result::ok).collect());
        let config = config(&endpoint, None).await;
        let bucket = S3Bucket::new(bucket::client(&config), "tidemill".into());
        Self { child, endpoint, bucket, config, dir, output }
    }

    /// The bucket as a process of a function has it.
    pub(crate) async fn bucket_as(&self, function: &str) -> S3Bucket {
        let config = config(&self.endpoint, Some(format!("{function}-0"))).await;
        S3Bucket::new(bucket::client(&config), "tidemill".into())
    }

    pub(crate) fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config)
    }

    pub(crate) async fn put(&self, key: &str, text: impl Into<bytes::Bytes>) {
        self.bucket.put(key, text.into(), &[]).await.expect("uploaded");
    }

    pub(crate) async fn keys(&self, prefix: &str) -> Vec<String> {
        let objects = self.bucket.list(prefix).await.expect("a list");
        objects.into_iter().map(|o| o.key).collect()
    }

    /// Waits until a job has so many ended runs; their `_SUCCESS` or `_FAILED`.
    pub(crate) async fn ended(&self, job: &str, count: usize) -> Vec<Value> {
        let start = Instant::now();
        loop {
            let keys = self.keys(&format!("results/{job}/")).await;
            let keys: Vec<_> = keys
                .into_iter()
                .filter(|k| k.ends_with("/_SUCCESS") || k.ends_with("/_FAILED"))
                .collect();
            if keys.len() >= count {
                let mut found = vec![];
                for key in keys {
                    let object = self.bucket.get(&key, None).await.expect("a marker");
                    found.push(serde_json::from_slice(&object.bytes).expect("JSON"));
                }
                return found;
            }
            assert!(start.elapsed() < PATIENCE, "{} of {count} runs of {job} ended", keys.len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The rows of a run's result as CSV lines, without the header.
    pub(crate) async fn rows(&self, outcome: &Value) -> Vec<String> {
        let mut rows = vec![];
        for file in outcome["files"].as_array().expect("files") {
            let key = file["key"].as_str().expect("a key");
            let bytes = self.bucket.get(key, None).await.expect("a part").bytes;
            rows.extend(csv_lines(bytes));
        }
        rows
    }

    /// The processes of a function.
    pub(crate) fn processes(&self, function: &str) -> Vec<u32> {
        let mut found = vec![];
        for entry in std::fs::read_dir("/proc").expect("processes").flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let status = std::fs::read_to_string(entry.path().join("status")).unwrap_or_default();
            let ours = status.contains(&format!("PPid:\t{}\n", self.pid()));
            if ours && line.contains(&format!("function {function} ")) {
                found.push(pid);
            }
        }
        found
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// Runs the command line against this emulator, to its end.
    pub(crate) async fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).stdin(Stdio::null()).env("AWS_ENDPOINT_URL", &self.endpoint);
        command.env("AWS_ACCESS_KEY_ID", "any").env("AWS_SECRET_ACCESS_KEY", "any");
        command.env("AWS_REGION", "us-east-1");
        let run = move || command.output().expect("it runs");
        tokio::task::spawn_blocking(run).await.expect("it ends")
    }
}

async fn config(endpoint: &str, token: Option<String>) -> aws_config::SdkConfig {
    aws_config::from_env()
        .endpoint_url(endpoint)
        .region("us-east-1")
        .credentials_provider(Credentials::new("any", "any", token, None, "test"))
        .load()
        .await
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn csv_lines(parquet: bytes::Bytes) -> Vec<String> {
    use datafusion::arrow::csv::WriterBuilder;
    use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    let reader = ParquetRecordBatchReaderBuilder::try_new(parquet).expect("Parquet");
    let mut text = vec![];
    let mut writer = WriterBuilder::new().with_header(false).build(&mut text);
    for batch in reader.build().expect("a reader") {
        writer.write(&batch.expect("a batch")).expect("CSV");
    }
    drop(writer);
    String::from_utf8(text).expect("text").lines().map(str::to_owned).collect()
}
