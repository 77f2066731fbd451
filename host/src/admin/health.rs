//! Health: whether the process lives, and whether its pipelines do.

use axum::{Json, extract::State, http::StatusCode};

use super::{Api, Problem};
use crate::pipeline::State as PipelineState;

/// Whether the host is ready, and which pipelines are in trouble.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub(super) struct Ready {
    ready: bool,
    /// Pipelines that are failed or stalled.
    trouble: Vec<String>,
}

/// 200 as long as the process answers.
#[utoipa::path(get, path = "/livez", tag = "health", security(()), responses((status = 200)))]
pub(super) async fn livez() -> StatusCode {
    StatusCode::OK
}

/// 503 while a pipeline is failed or stalled.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "health",
    security(()),
    responses((status = 200, body = Ready), (status = 503, body = Ready)),
)]
pub(super) async fn readyz(State(api): State<Api>) -> Result<(StatusCode, Json<Ready>), Problem> {
    let statuses = api.call(|controller| Ok(controller.statuses())).await?;
    let bad = |state| matches!(state, PipelineState::Failed | PipelineState::Stalled);
    let trouble: Vec<String> =
        statuses.into_iter().filter(|status| bad(status.state)).map(|status| status.pipeline).collect();
    let ready = trouble.is_empty();
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok((code, Json(Ready { ready, trouble })))
}
