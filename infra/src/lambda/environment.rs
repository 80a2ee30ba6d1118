use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::s3::KeyPair;
use crate::template::FunctionSpec;

/// What a function finds around itself.
#[derive(Debug, Clone)]
pub(crate) struct FunctionEnvironment {
    pub(crate) endpoint: String,
    /// Of the buckets.
    pub(crate) folder: PathBuf,
    pub(crate) region: String,
    /// What one task reads at most.
    pub(crate) one_task_mib: u64,
    /// The most processes of the function at once.
    pub(crate) concurrency: usize,
    /// The only credentials that are accepted.
    pub(crate) keys: Option<KeyPair>,
}

impl FunctionEnvironment {
    /// The environment of a process: AWS Lambda Developer Guide, "Defined runtime environment
    /// variables"; then the credentials that the emulator accepts; then the template's own.
    pub(super) fn variables(
        &self,
        spec: &FunctionSpec,
        runtime_api: &str,
        log_stream: &str,
    ) -> BTreeMap<String, String> {
        let mut all: BTreeMap<String, String> = [
            ("AWS_LAMBDA_RUNTIME_API", runtime_api),
            ("AWS_LAMBDA_FUNCTION_NAME", spec.id.as_str()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &spec.memory.to_string()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", &format!("/aws/lambda/{}", spec.id)),
            ("AWS_LAMBDA_LOG_STREAM_NAME", log_stream),
            ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023"),
            ("AWS_REGION", &self.region),
            ("AWS_DEFAULT_REGION", &self.region),
            // temporary credentials have one, and the emulator knows whose requests it gets
            ("AWS_SESSION_TOKEN", log_stream),
            ("AWS_ENDPOINT_URL", &self.endpoint),
            ("TIDEMILL_LOCAL_FOLDER", &self.folder.to_string_lossy()),
            ("TIDEMILL_ONE_TASK_MIB", &self.one_task_mib.to_string()),
            ("TIDEMILL_WORKERS", &self.concurrency.to_string()),
            ("_HANDLER", "bootstrap"),
            ("TZ", ":UTC"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        let own = |name: &str, default: &str| {
            (name.to_owned(), std::env::var(name).unwrap_or_else(|_| default.to_owned()))
        };
        let (key, secret) = match &self.keys {
            Some(KeyPair { access_key, secret_key }) => (access_key.as_str(), secret_key.as_str()),
            None => ("local", "local"),
        };
        all.extend([
            ("AWS_ACCESS_KEY_ID".to_owned(), key.to_owned()),
            ("AWS_SECRET_ACCESS_KEY".to_owned(), secret.to_owned()),
            own("PATH", "/usr/bin:/bin"),
            own("TMPDIR", "/tmp"),
        ]);
        all.extend(spec.environment.clone());
        if let Ok(log) = std::env::var("RUST_LOG") {
            all.insert("RUST_LOG".into(), log);
        }
        all
    }
}
