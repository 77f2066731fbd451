//! Errors on the wire: RFC 9457 problem documents with a stable `code`, and the one table of status codes.

use axum::{
    Json,
    body::to_bytes,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};

use crate::{
    config,
    control::ControlError,
    pipeline::{ByHandError, FireError, SeekError},
};

/// Bytes of a foreign answer that are kept as the detail of a problem.
const WORDS_MAX: usize = 4 << 10;

/// A problem document (RFC 9457).
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// Identifies the kind of problem: `urn:wasmill:` and the code.
    pub r#type: String,
    pub title: String,
    pub status: u16,
    /// What happened and what to do, for people.
    pub detail: String,
    /// Stable name for machines.
    pub code: String,
    /// The mistakes of a pipeline's text, each with its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    pub problems: Vec<serde_json::Value>,
}

impl Problem {
    fn new(status: StatusCode, code: &str, detail: String) -> Self {
        Self {
            r#type: format!("urn:wasmill:{code}"),
            title: status.canonical_reason().unwrap_or("Error").into(),
            status: status.as_u16(),
            detail,
            code: code.into(),
            problems: vec![],
        }
    }

    pub(super) fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string())
    }

    pub(super) fn bad_request(detail: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    pub(super) fn unauthorised() -> Self {
        let detail = "this host asks for a token: send `Authorization: Bearer TOKEN` (`--token-file` of the CLI)";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorised", detail.into())
    }
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        let status = match &error {
            ControlError::NotFound { .. } => StatusCode::NOT_FOUND,
            ControlError::BadName(_) | ControlError::BadRequest(_) => StatusCode::BAD_REQUEST,
            ControlError::ModuleExists { .. } | ControlError::NoRollback(_) => StatusCode::CONFLICT,
            ControlError::Module(error) if error.is_the_modules_fault() => StatusCode::UNPROCESSABLE_ENTITY,
            ControlError::Config(_)
            | ControlError::Release { .. }
            | ControlError::Build(_)
            | ControlError::Gone { .. }
            | ControlError::Seek(SeekError::NoPartition { .. } | SeekError::Range { .. })
            | ControlError::Fire(FireError::NoTimer(_))
            | ControlError::ByHand(ByHandError::Build(_)) => StatusCode::UNPROCESSABLE_ENTITY,
            ControlError::Seek(SeekError::Others { .. })
            | ControlError::Fire(FireError::Paused | FireError::NotHere(_)) => StatusCode::CONFLICT,
            // What stands behind this host did not do its part.
            ControlError::Seek(SeekError::Kafka(_)) | ControlError::ByHand(_) => StatusCode::BAD_GATEWAY,
            ControlError::Fire(FireError::Slow) => StatusCode::GATEWAY_TIMEOUT,
            ControlError::Seek(SeekError::Restless) => StatusCode::INTERNAL_SERVER_ERROR,
            ControlError::Module(_) | ControlError::Store(_) | ControlError::Internal(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        let mut problem = Self::new(status, error.code(), error.to_string());
        if let ControlError::Config(error) = &error {
            problem.problems = problems(error.problems());
        }
        if status.is_server_error() {
            tracing::error!(%error, "request failed");
        }
        problem
    }
}

/// Problems of a configuration as they go over the wire.
pub(super) fn problems(problems: &[config::Problem]) -> Vec<serde_json::Value> {
    problems.iter().filter_map(|problem| serde_json::to_value(problem).ok()).collect()
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110 asks for it with this status.
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Makes a problem of a refusal that is not from a handler of ours: no such path or method, a body that is too large,
/// a parameter that cannot be read, a request that took too long. Those come as bare text, or as nothing at all.
pub(super) async fn complete(response: Response) -> Response {
    let status = response.status();
    let json = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/"));
    if json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let words = to_bytes(body, WORDS_MAX).await.unwrap_or_default();
    let words = String::from_utf8_lossy(&words).into_owned();
    let (code, detail) = match status {
        StatusCode::NOT_FOUND => ("not-found", "there is no such path: `GET /v1/openapi.json` lists all".to_owned()),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("method-not-allowed", "the path has no such method: the header `Allow` lists those that it has".to_owned())
        }
        StatusCode::PAYLOAD_TOO_LARGE => {
            ("body-too-large", format!("a body has at most {} MiB", super::BODY_MAX >> 20))
        }
        StatusCode::REQUEST_TIMEOUT => {
            ("timeout", format!("it took more than {:?}; what it began may still be done", super::REQUEST_MAX))
        }
        status if status.is_client_error() => ("bad-request", words),
        _ => ("internal", words),
    };
    let problem = Problem::new(status, code, detail).into_response();
    [CONTENT_TYPE, CONTENT_LENGTH].iter().for_each(|header| drop(parts.headers.remove(header)));
    let (made, body) = problem.into_parts();
    parts.headers.extend(made.headers);
    Response::from_parts(parts, body)
}
