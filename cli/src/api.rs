//! `tidemill api`: a request to the HTTP API, signed with the user's credentials.

use std::io::{IsTerminal, Read, Write};
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context, bail, ensure};
use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::TokioExecutor;
use tidemill_protocol::context::full_text;

use crate::client::{Client, Target};

const EXAMPLES: &str = "Examples:
  tidemill api GET /runs
  tidemill api GET '/runs?state=failed&limit=5' --bucket my-bucket
  tidemill api POST /runs -H 'Prefer: wait=20' -d '{\"sql\": \"SELECT count(*) FROM flights\"}'
  tidemill api PUT /pipelines/orders -d @orders.json
  tidemill api GET /openapi.json                        what there is to ask for

The exit status is 0 if the API said yes (2xx or 304), else 1.";

/// The tag of a deployment's bucket that says where its HTTP API is.
const TAG: &str = "tidemill:api";

/// The service that requests are signed for.
const SERVICE: &str = "execute-api";

/// Asks the HTTP API, and prints its answer.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ApiArgs {
    /// GET, POST, PUT or DELETE.
    #[arg(value_parser = method)]
    method: hyper::Method,
    /// The path, with its query: /runs?limit=5
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    path: String,
    /// The body: text, @FILE, or @- for standard input.
    #[arg(short, long, value_name = "BODY")]
    data: Option<String>,
    /// A header: 'Name: value'; may be given several times.
    #[arg(short = 'H', long, value_name = "HEADER", value_parser = header)]
    header: Vec<(String, String)>,
    /// Print status and headers of the answer, too.
    #[arg(short, long)]
    include: bool,
    /// Where the API is, as the stack's output ApiUrl says. Without it, what the bucket's tag says,
    /// or the emulator.
    #[arg(long, env = "TIDEMILL_API_URL", value_name = "URL")]
    url: Option<String>,
    /// Ask with this token (JWT) in the place of a signature.
    #[arg(long, env = "TIDEMILL_API_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: Option<String>,
    #[command(flatten)]
    target: Target,
}

fn method(text: &str) -> Result<hyper::Method, String> {
    text.to_ascii_uppercase().parse().map_err(|_| "it must be GET, POST, PUT or DELETE".into())
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("it must be 'Name: value'")?;
    Ok((name.trim().to_lowercase(), value.trim().to_owned()))
}

impl ApiArgs {
    pub(crate) async fn execute(self) -> anyhow::Result<ExitCode> {
        let body = self.body()?;
        if let Some(url) = &self.url {
            let config = aws_config::load_from_env().await;
            return self.ask(url, &config, body).await;
        }
        let client = Client::open(&self.target).await?;
        let asked = self.ask_of(&client, body).await;
        client.close().await;
        asked
    }

    async fn ask_of(&self, client: &Client, body: Bytes) -> anyhow::Result<ExitCode> {
        let url = match (&client.local, &client.endpoint) {
            (Some(local), _) => local.api_url(),
            (None, Some(endpoint)) => format!("{endpoint}/_api"),
            (None, None) => {
                let name = client.bucket.name();
                client.bucket.tag(TAG).await.with_context(|| {
                    format!(
                        "bucket {name} has no tag {TAG} that says where its API is, or it may not be read with \
                         these credentials: give --url, which is the stack's output ApiUrl"
                    )
                })?
            }
        };
        self.ask(&url, &client.config, body).await
    }

    fn body(&self) -> anyhow::Result<Bytes> {
        match self.data.as_deref() {
            None => Ok(Bytes::new()),
            Some("@-") => {
                let mut body = vec![];
                std::io::stdin().read_to_end(&mut body).context("reading standard input failed")?;
                Ok(body.into())
            }
            Some(text) => match text.strip_prefix('@') {
                None => Ok(text.to_owned().into()),
                Some(file) => {
                    let body =
                        std::fs::read(file).with_context(|| format!("reading {file} failed"))?;
                    Ok(body.into())
                }
            },
        }
    }

    async fn ask(&self, url: &str, config: &SdkConfig, body: Bytes) -> anyhow::Result<ExitCode> {
        let path = self.path.trim_start_matches('/');
        let uri = format!("{}/{path}", url.trim_end_matches('/'));
        let has_type = self.header.iter().any(|(name, _)| name == "content-type");
        let mut request = Request::builder().method(self.method.clone()).uri(&uri);
        if !body.is_empty() && !has_type {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in &self.header {
            request = request.header(name, value);
        }
        let mut request = request
            .body(Full::from(body.clone()))
            .with_context(|| format!("{uri} is no URL, or a header is none"))?;
        match &self.token {
            Some(token) => {
                let value = format!("Bearer {token}").parse().context("the token is no text")?;
                request.headers_mut().insert("authorization", value);
            }
            None => signed(&mut request, &body, &uri, config).await?,
        }
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            // more than one is linked, so none is the default
            .with_provider_and_native_roots(rustls::crypto::aws_lc_rs::default_provider())
            .context("this machine's certificates cannot be read")?
            .https_or_http()
            .enable_http1()
            .build();
        let http = HttpClient::builder(TokioExecutor::new()).build(https);
        let answer = http.request(request).await;
        let answer =
            answer.map_err(|e| anyhow::anyhow!("{uri} cannot be asked: {}", full_text(&e)))?;
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.context("the answer ended too early")?.to_bytes();
        self.print(&Response::from_parts(parts, body))
    }

    fn print(&self, answer: &Response<Bytes>) -> anyhow::Result<ExitCode> {
        let mut out = std::io::stdout().lock();
        if self.include {
            writeln!(out, "{:?} {}", answer.version(), answer.status())?;
            for (name, value) in answer.headers() {
                writeln!(out, "{name}: {}", String::from_utf8_lossy(value.as_bytes()))?;
            }
            writeln!(out)?;
        }
        let parsed = serde_json::from_slice::<serde_json::Value>(answer.body()).ok();
        match parsed.filter(|_| std::io::stdout().is_terminal()) {
            Some(value) => writeln!(out, "{}", serde_json::to_string_pretty(&value)?)?,
            None => {
                out.write_all(answer.body())?;
                if !answer.body().is_empty() && !answer.body().ends_with(b"\n") {
                    writeln!(out)?;
                }
            }
        }
        let status = answer.status();
        if status.is_success() || status.as_u16() == 304 {
            return Ok(ExitCode::SUCCESS);
        }
        eprintln!("the API answered {status}");
        Ok(ExitCode::FAILURE)
    }
}

/// Signs a request as API Gateway asks (Signature Version 4).
async fn signed(
    request: &mut Request<Full<Bytes>>,
    body: &[u8],
    uri: &str,
    config: &SdkConfig,
) -> anyhow::Result<()> {
    let Some(provider) = config.credentials_provider() else {
        bail!(
            "there are no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        );
    };
    let credentials = provider.provide_credentials().await.map_err(|e| {
        anyhow::anyhow!(
            "there are no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY ({})",
            full_text(&e)
        )
    })?;
    let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
    let region =
        region(&host).map(str::to_owned).or_else(|| config.region().map(ToString::to_string));
    let region = region.context("the API's region is not known: set AWS_REGION")?;
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(&region)
        .name(SERVICE)
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()?
        .into();
    ensure!(!host.is_empty(), "{uri} has no host");
    request.headers_mut().insert("host", host.parse()?);
    let headers: Vec<(String, String)> = request
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect();
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let method = request.method().to_string();
    let signable = SignableRequest::new(&method, uri, headers, SignableBody::Bytes(body))?;
    let (instructions, _) = sign(signable, &parameters)?.into_parts();
    let (headers, _) = instructions.into_parts();
    for header in headers {
        request.headers_mut().insert(header.name(), header.value().parse()?);
    }
    Ok(())
}

/// The region of an API by its host, `<id>.execute-api.<region>.amazonaws.com`.
fn region(host: &str) -> Option<&str> {
    let mut parts = host.split('.').skip_while(|part| *part != SERVICE);
    parts.next()?;
    parts.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_of_an_api_is_in_its_host() {
        assert_eq!(region("abc.execute-api.eu-central-1.amazonaws.com"), Some("eu-central-1"));
        assert_eq!(region("api.example.com"), None);
    }
}
