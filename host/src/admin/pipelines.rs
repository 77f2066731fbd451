//! `/v1/pipelines`.

use std::time::Duration;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, Query, State},
    http::StatusCode,
};

use super::{Api, Problem, problem::problems};
use crate::{
    control::{Changed, Effect, LogLine, ReleaseInfo, SwapRequest},
    pipeline::Status,
};

/// How long a deleted pipeline may deliver what is in flight.
const DELETE_DEADLINE: Duration = Duration::from_secs(10);

/// Lines of one answer.
const LOG_LINES_MAX: usize = 1000;

/// A pipeline after it was put or patched.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub(super) struct Put {
    #[serde(flatten)]
    status: Status,
    effect: Effect,
    /// What is allowed but probably not meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    warnings: Vec<serde_json::Value>,
}

impl From<Changed> for Put {
    fn from(changed: Changed) -> Self {
        let Changed { status, effect, warnings } = changed;
        Self { status, effect, warnings: problems(&warnings) }
    }
}

/// All pipelines, by name.
#[utoipa::path(get, path = "/v1/pipelines", tag = "pipelines", responses((status = 200, body = Vec<Status>)))]
pub(super) async fn list(State(api): State<Api>) -> Result<Json<Vec<Status>>, Problem> {
    Ok(Json(api.call(|controller| Ok(controller.statuses())).await?))
}

/// Creates a pipeline, or changes it: the body is its YAML, or the same as JSON.
///
/// A change of its module, its routes or the controls of its trigger alone is a swap; any other starts it anew from what
/// is committed. `effect` says which it was.
#[utoipa::path(
    put,
    path = "/v1/pipelines/{name}",
    tag = "pipelines",
    params(("name" = String, Path)),
    request_body(content = String, content_type = "application/yaml"),
    responses((status = 200, body = Put), (status = 422, body = Problem)),
)]
pub(super) async fn put(State(api): State<Api>, Path(name): Path<String>, body: Bytes) -> Result<Json<Put>, Problem> {
    let text = String::from_utf8(body.into()).map_err(|_| Problem::bad_request("the body is not UTF-8".into()))?;
    let base = api.base.clone();
    let changed = api.call(move |controller| controller.put_pipeline(&name, &text, &base)).await?;
    Ok(Json(changed.into()))
}

/// The status of a pipeline.
#[utoipa::path(
    get,
    path = "/v1/pipelines/{name}",
    tag = "pipelines",
    params(("name" = String, Path)),
    responses((status = 200, body = Status), (status = 404, body = Problem)),
)]
pub(super) async fn get(State(api): State<Api>, Path(name): Path<String>) -> Result<Json<Status>, Problem> {
    Ok(Json(api.call(move |controller| controller.status(&name)).await?))
}

/// Stops a pipeline and forgets it. Its group's offsets stay in Kafka.
#[utoipa::path(
    delete,
    path = "/v1/pipelines/{name}",
    tag = "pipelines",
    params(("name" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)),
)]
pub(super) async fn delete(State(api): State<Api>, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    api.call(move |controller| controller.delete_pipeline(&name, DELETE_DEADLINE)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes another module, or other settings, live at the next batch boundary.
#[utoipa::path(
    post,
    path = "/v1/pipelines/{name}/swap",
    tag = "pipelines",
    params(("name" = String, Path)),
    request_body = SwapRequest,
    responses((status = 200, body = Status), (status = 404, body = Problem), (status = 422, body = Problem)),
)]
pub(super) async fn swap(
    State(api): State<Api>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Status>, Problem> {
    let request: SwapRequest = parse(&body)?;
    Ok(Json(api.call(move |controller| controller.swap(&name, request)).await?))
}

/// Brings back the release that was live before, as a new one.
#[utoipa::path(
    post,
    path = "/v1/pipelines/{name}/rollback",
    tag = "pipelines",
    params(("name" = String, Path)),
    responses((status = 200, body = Status), (status = 404, body = Problem), (status = 409, body = Problem)),
)]
pub(super) async fn rollback(State(api): State<Api>, Path(name): Path<String>) -> Result<Json<Status>, Problem> {
    Ok(Json(api.call(move |controller| controller.rollback(&name)).await?))
}

/// Reads no more until it is resumed, also after a restart of the host.
#[utoipa::path(
    post,
    path = "/v1/pipelines/{name}/pause",
    tag = "pipelines",
    params(("name" = String, Path)),
    responses((status = 200, body = Status), (status = 404, body = Problem)),
)]
pub(super) async fn pause(State(api): State<Api>, Path(name): Path<String>) -> Result<Json<Status>, Problem> {
    Ok(Json(api.call(move |controller| controller.pause(&name)).await?))
}

/// Goes on reading; a failed pipeline tries again.
#[utoipa::path(
    post,
    path = "/v1/pipelines/{name}/resume",
    tag = "pipelines",
    params(("name" = String, Path)),
    responses((status = 200, body = Status), (status = 404, body = Problem)),
)]
pub(super) async fn resume(State(api): State<Api>, Path(name): Path<String>) -> Result<Json<Status>, Problem> {
    Ok(Json(api.call(move |controller| controller.resume(&name)).await?))
}

/// Releases, newest first, with the first record that each was given of a partition.
#[utoipa::path(
    get,
    path = "/v1/pipelines/{name}/releases",
    tag = "pipelines",
    params(("name" = String, Path)),
    responses((status = 200, body = Vec<ReleaseInfo>), (status = 404, body = Problem)),
)]
pub(super) async fn releases(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<Vec<ReleaseInfo>>, Problem> {
    Ok(Json(api.call(move |controller| controller.releases(&name)).await?))
}

/// Which lines are wanted.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct LogQuery {
    /// Lines after this number.
    #[serde(default)]
    after: u64,
}

/// What the modules of a pipeline said, oldest first, at most 1000 lines: ask again with the last `seq`.
#[utoipa::path(
    get,
    path = "/v1/pipelines/{name}/logs",
    tag = "pipelines",
    params(("name" = String, Path), LogQuery),
    responses((status = 200, body = Vec<LogLine>), (status = 404, body = Problem)),
)]
pub(super) async fn logs(
    State(api): State<Api>,
    Path(name): Path<String>,
    Query(query): Query<LogQuery>,
) -> Result<Json<Vec<LogLine>>, Problem> {
    Ok(Json(api.call(move |controller| controller.logs(&name, query.after, LOG_LINES_MAX)).await?))
}

#[allow(clippy::result_large_err, reason = "a problem is made once for a request")]
pub(super) fn parse<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| Problem::bad_request(format!("the body: {error}")))
}
