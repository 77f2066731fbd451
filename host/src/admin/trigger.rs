//! `/v1/pipelines/{name}`: the trigger's controls, its position, and what is done by hand.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::{Map, Value};

use super::{
    Api, Problem,
    pipelines::{Put, parse},
};
use crate::control::{BatchInfo, Fired, InvokeInput, InvokeRequest, InvokeResult, SeekRequest, Sought};

/// Changes keys of a pipeline: a JSON merge patch (RFC 7396) of its text. Null takes a key away.
///
/// Controls of the trigger (`source.kafka.start`, `source.kafka.batch`, `errors.retries`, `errors.backoff`, `timer`) are
/// taken up at the next batch, without a release and without a rebalance. `enabled` stops the pipeline and starts it.
/// What else is changed is a swap or a new start, as with a put. All of it survives a restart.
#[utoipa::path(
    patch,
    path = "/v1/pipelines/{name}",
    tag = "pipelines",
    params(("name" = String, Path)),
    request_body(content = Object, content_type = "application/merge-patch+json"),
    responses((status = 200, body = Put), (status = 404, body = Problem), (status = 422, body = Problem)),
)]
pub(super) async fn patch(State(api): State<Api>, Path(name): Path<String>, body: Bytes) -> Result<Json<Put>, Problem> {
    let patch: Map<String, Value> = parse(&body)?;
    let changed = api.call(move |controller| controller.patch_pipeline(&name, &patch)).await?;
    Ok(Json(changed.into()))
}

/// Moves the position of a pipeline's group, exactly: all partitions or none.
///
/// What is in flight is delivered and committed, the lanes leave the group, its offsets are moved, and the lanes go on
/// from there. Refused while others are in the group.
#[utoipa::path(
    post,
    path = "/v1/pipelines/{name}/seek",
    tag = "pipelines",
    params(("name" = String, Path)),
    request_body = SeekRequest,
    responses(
        (status = 200, body = Sought), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem), (status = 502, body = Problem),
    ),
)]
pub(super) async fn seek(
    State(api): State<Api>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Sought>, Problem> {
    let request: SeekRequest = parse(&body)?;
    Ok(Json(api.call(move |controller| controller.seek(&name, &request)).await?))
}

/// Fires the timed trigger of the running lanes now, and waits until what came of it is delivered.
#[utoipa::path(
    post,
    path = "/v1/pipelines/{name}/fire",
    tag = "pipelines",
    params(("name" = String, Path)),
    responses(
        (status = 200, body = Fired), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem), (status = 504, body = Problem),
    ),
)]
pub(super) async fn fire(State(api): State<Api>, Path(name): Path<String>) -> Result<Json<Fired>, Problem> {
    Ok(Json(api.call(move |controller| controller.fire(&name)).await?))
}

/// Gives one batch to the live module by hand, in an instance of its own. Nothing reaches a sink, unless `deliver` says
/// so.
#[utoipa::path(
    post,
    path = "/v1/pipelines/{name}/invoke",
    tag = "pipelines",
    params(("name" = String, Path)),
    request_body = InvokeRequest,
    responses(
        (status = 200, body = InvokeResult), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem), (status = 502, body = Problem),
    ),
)]
pub(super) async fn invoke(
    State(api): State<Api>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<InvokeResult>, Problem> {
    let request: InvokeRequest = parse(&body)?;
    Ok(Json(api.call(move |controller| controller.invoke(&name, request)).await?))
}

/// Saved batches of a pipeline, by name.
#[utoipa::path(
    get,
    path = "/v1/pipelines/{name}/batches",
    tag = "pipelines",
    params(("name" = String, Path)),
    responses((status = 200, body = Vec<BatchInfo>), (status = 404, body = Problem)),
)]
pub(super) async fn batches(State(api): State<Api>, Path(name): Path<String>) -> Result<Json<Vec<BatchInfo>>, Problem> {
    Ok(Json(api.call(move |controller| controller.batches(&name)).await?))
}

/// Keeps a batch for `invoke`, or replaces the one of its name: at most 100 of a pipeline, 4 MiB each.
#[utoipa::path(
    put,
    path = "/v1/pipelines/{name}/batches/{batch}",
    tag = "pipelines",
    params(("name" = String, Path), ("batch" = String, Path)),
    request_body = InvokeInput,
    responses((status = 200, body = BatchInfo), (status = 400, body = Problem), (status = 404, body = Problem)),
)]
pub(super) async fn put_batch(
    State(api): State<Api>,
    Path((name, batch)): Path<(String, String)>,
    body: Bytes,
) -> Result<Json<BatchInfo>, Problem> {
    let input: InvokeInput = parse(&body)?;
    Ok(Json(api.call(move |controller| controller.put_batch(&name, &batch, &input)).await?))
}

/// A saved batch.
#[utoipa::path(
    get,
    path = "/v1/pipelines/{name}/batches/{batch}",
    tag = "pipelines",
    params(("name" = String, Path), ("batch" = String, Path)),
    responses((status = 200, body = InvokeInput), (status = 404, body = Problem)),
)]
pub(super) async fn batch(
    State(api): State<Api>,
    Path((name, batch)): Path<(String, String)>,
) -> Result<Json<InvokeInput>, Problem> {
    Ok(Json(api.call(move |controller| controller.batch(&name, &batch)).await?))
}

/// Forgets a saved batch.
#[utoipa::path(
    delete,
    path = "/v1/pipelines/{name}/batches/{batch}",
    tag = "pipelines",
    params(("name" = String, Path), ("batch" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)),
)]
pub(super) async fn delete_batch(
    State(api): State<Api>,
    Path((name, batch)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    api.call(move |controller| controller.delete_batch(&name, &batch)).await?;
    Ok(StatusCode::NO_CONTENT)
}
