//! `/v1/modules`.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
};

use super::{Api, Problem};
use crate::control::ModuleInfo;

/// Takes a module in: the body is the component, or a core module built against the contract.
///
/// A version keeps its bytes: the same again is no error, others are refused.
#[utoipa::path(
    put,
    path = "/v1/modules/{name}/{version}",
    tag = "modules",
    params(("name" = String, Path), ("version" = String, Path)),
    request_body(content = Vec<u8>, content_type = "application/wasm"),
    responses((status = 200, body = ModuleInfo), (status = 409, body = Problem), (status = 422, body = Problem)),
)]
pub(super) async fn put(
    State(api): State<Api>,
    Path((name, version)): Path<(String, String)>,
    body: Bytes,
) -> Result<Json<ModuleInfo>, Problem> {
    Ok(Json(api.call(move |controller| controller.upload(&name, &version, &body)).await?))
}

/// All modules, by name and age.
#[utoipa::path(get, path = "/v1/modules", tag = "modules", responses((status = 200, body = Vec<ModuleInfo>)))]
pub(super) async fn list(State(api): State<Api>) -> Result<Json<Vec<ModuleInfo>>, Problem> {
    Ok(Json(api.call(|controller| controller.modules()).await?))
}
