//! The OpenAPI document, made of the routes themselves: a call that is served is in it, and none that is not.

use axum::Json;
use utoipa::openapi::{
    OpenApi,
    security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
};

/// Name of the token in the document.
const TOKEN: &str = "token";

/// This document.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "document", responses((status = 200, body = Object)))]
pub(super) async fn serve() -> Json<OpenApi> {
    Json(document())
}

/// The OpenAPI document, without a host: for the docs and the golden file of the tests.
pub fn openapi() -> serde_json::Value {
    serde_json::to_value(document()).unwrap_or_default()
}

fn document() -> OpenApi {
    let mut document = super::guarded().merge(super::open()).into_openapi();
    document.info.title = "Wasmill".into();
    document.info.version = env!("CARGO_PKG_VERSION").into();
    document.info.description = Some("Admin API of a Wasmill host.".into());
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The host's `--token-file`. One that listens on the loopback interface may have none."))
        .build();
    document.components.get_or_insert_default().add_security_scheme(TOKEN, SecurityScheme::Http(token));
    let none: [&str; 0] = [];
    document.security = Some(vec![SecurityRequirement::new(TOKEN, none), SecurityRequirement::default()]);
    document
}
