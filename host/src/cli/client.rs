//! Speaks to a host's admin API.

use std::{path::Path, time::Duration};

use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;

use super::output::{Failure, Kind};
use crate::admin::Problem;

/// A compilation may take minutes.
const TIMEOUT: Duration = Duration::from_secs(300);

pub(super) struct Client {
    host: String,
    token: Option<String>,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

/// The token in a file, without the line's end.
pub(super) fn read_token(file: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::new(Kind::Usage, format!("token file {}: {error}", file.display())))?;
    match text.trim() {
        "" => Err(Failure::new(Kind::Usage, format!("token file {} is empty", file.display()))),
        token => Ok(token.to_owned()),
    }
}

impl Client {
    pub(super) fn new(host: &str, token_file: Option<&Path>) -> Result<Self, Failure> {
        let token = token_file.map(read_token).transpose()?;
        let http = reqwest::Client::builder().timeout(TIMEOUT).build().map_err(Failure::failed)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::failed)?;
        Ok(Self { host: host.trim_end_matches('/').to_owned(), token, http, runtime })
    }

    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.send(Method::GET, path, None)
    }

    pub(super) fn post<T: DeserializeOwned>(&self, path: &str, body: &impl serde::Serialize) -> Result<T, Failure> {
        self.send(Method::POST, path, Some(serde_json::to_vec(body).map_err(Failure::failed)?))
    }

    pub(super) fn put<T: DeserializeOwned>(&self, path: &str, body: Vec<u8>) -> Result<T, Failure> {
        self.send(Method::PUT, path, Some(body))
    }

    pub(super) fn patch<T: DeserializeOwned>(&self, path: &str, body: &impl serde::Serialize) -> Result<T, Failure> {
        self.send(Method::PATCH, path, Some(serde_json::to_vec(body).map_err(Failure::failed)?))
    }

    pub(super) fn delete(&self, path: &str) -> Result<(), Failure> {
        self.send_raw(Method::DELETE, path, None).map(drop)
    }

    fn send<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<T, Failure> {
        let answer = self.send_raw(method, path, body)?;
        serde_json::from_slice(&answer).map_err(|error| {
            Failure::failed(format!("{} answered something else than was expected: {error}", self.host))
        })
    }

    fn send_raw(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Vec<u8>, Failure> {
        let url = format!("{}{path}", self.host);
        let mut request = self.http.request(method, &url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let unreachable = |error: reqwest::Error| {
            let cause = std::iter::successors(std::error::Error::source(&error), |error| error.source()).last();
            let cause = cause.map_or_else(|| error.to_string(), ToString::to_string);
            Failure::new(
                Kind::Unreachable,
                format!(
                    "no host at {} ({cause}). Start one with `wasmill run`, or name another with `--host URL`",
                    self.host
                ),
            )
        };
        let (status, answer) = self.runtime.block_on(async {
            let answer = request.send().await.map_err(unreachable)?;
            let status = answer.status();
            let body = answer.bytes().await.map_err(unreachable)?;
            Ok::<_, Failure>((status, body.to_vec()))
        })?;
        if status.is_success() { Ok(answer) } else { Err(refusal(status, &answer)) }
    }
}

fn refusal(status: StatusCode, answer: &[u8]) -> Failure {
    let kind = match status {
        StatusCode::NOT_FOUND => Kind::NotFound,
        status if status.is_client_error() => Kind::Refused,
        _ => Kind::Failed,
    };
    let problem = serde_json::from_slice(answer).ok();
    let message = match serde_json::from_slice::<Problem>(answer) {
        Ok(problem) => problem.detail,
        Err(_) => format!("the host answered {status}: {}", String::from_utf8_lossy(answer)),
    };
    Failure { kind, message, report: None, problem }
}
