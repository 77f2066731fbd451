//! The HTTP face of the control plane: `/v1`, health, metrics, and the OpenAPI document of all that.
//!
//! Handlers parse, call the [`Controller`] off the async workers, and render. Nothing below knows HTTP status codes;
//! the one table that maps errors to them is in `problem.rs`.

mod health;
mod metrics;
mod modules;
mod pipelines;
mod problem;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State as AxumState},
    http::header::AUTHORIZATION,
    middleware::{self, Next},
    response::Response,
};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::control::Controller;
pub use problem::Problem;

/// Largest request body: a module.
const BODY_MAX: usize = 64 << 20;

/// How the admin API is served.
pub struct Options {
    pub listen: SocketAddr,
    /// Asked for as a bearer token; without one only the loopback interface is served.
    pub token: Option<SecretString>,
    /// Folder that relative paths of pipelines start at that are sent over HTTP.
    pub base: PathBuf,
}

#[derive(Debug, Error)]
pub enum ServeError {
    #[error(
        "{0} can be reached from other machines, and there is no token to ask for: give one with `--token-file`, or \
         listen on 127.0.0.1"
    )]
    NoToken(SocketAddr),
    #[error("cannot listen on {listen}: {source}")]
    Listen { listen: SocketAddr, source: std::io::Error },
}

#[derive(Clone)]
pub(crate) struct Api {
    controller: Controller,
    base: Arc<PathBuf>,
    token: Option<Arc<SecretString>>,
}

impl Api {
    /// Runs a call that blocks off the async workers.
    async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Controller) -> Result<T, crate::control::ControlError> + Send + 'static,
    ) -> Result<T, Problem> {
        let controller = self.controller.clone();
        match tokio::task::spawn_blocking(move || call(&controller)).await {
            Ok(result) => result.map_err(Problem::from),
            Err(error) => Err(Problem::internal(&error)),
        }
    }
}

/// The routes and their document.
pub(crate) fn router(api: Api) -> (Router, OpenApi) {
    let (router, mut document) = OpenApiRouter::new()
        .routes(routes!(modules::put))
        .routes(routes!(modules::list))
        .routes(routes!(pipelines::list))
        .routes(routes!(pipelines::put, pipelines::get, pipelines::delete))
        .routes(routes!(pipelines::swap))
        .routes(routes!(pipelines::rollback))
        .routes(routes!(pipelines::pause))
        .routes(routes!(pipelines::resume))
        .routes(routes!(pipelines::invoke))
        .routes(routes!(pipelines::releases))
        .routes(routes!(pipelines::logs))
        .layer(middleware::from_fn_with_state(api.clone(), authorise))
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
        .routes(routes!(metrics::metrics))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(api)
        .split_for_parts();
    document.info.title = "Wasmill".into();
    document.info.version = env!("CARGO_PKG_VERSION").into();
    document.info.description = Some("Admin API of a Wasmill host.".into());
    let served = document.clone();
    let document_route = axum::routing::get(move || {
        let served = served.clone();
        async move { axum::Json(served) }
    });
    (router.route("/v1/openapi.json", document_route), document)
}

/// The OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    modules::put,
    modules::list,
    pipelines::list,
    pipelines::put,
    pipelines::get,
    pipelines::delete,
    pipelines::swap,
    pipelines::rollback,
    pipelines::pause,
    pipelines::resume,
    pipelines::invoke,
    pipelines::releases,
    pipelines::logs,
    health::livez,
    health::readyz,
    metrics::metrics,
))]
struct Document;

/// The OpenAPI document, without a host: for the docs and the golden file of the tests.
pub fn openapi() -> serde_json::Value {
    serde_json::to_value(<Document as utoipa::OpenApi>::openapi()).unwrap_or_default()
}

/// Serves until `stop` resolves; answers the address once it listens.
///
/// # Errors
/// The address cannot be used, or may not without a token.
pub async fn serve(
    controller: Controller,
    options: Options,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(SocketAddr, impl Future<Output = std::io::Result<()>>), ServeError> {
    let Options { listen, token, base } = options;
    if token.is_none() && !listen.ip().is_loopback() {
        return Err(ServeError::NoToken(listen));
    }
    let listener =
        tokio::net::TcpListener::bind(listen).await.map_err(|source| ServeError::Listen { listen, source })?;
    let address = listener.local_addr().map_err(|source| ServeError::Listen { listen, source })?;
    let (router, _) = router(Api { controller, base: Arc::new(base), token: token.map(Arc::new) });
    let router = router.layer(tower_http::timeout::TimeoutLayer::with_status_code(
        axum::http::StatusCode::REQUEST_TIMEOUT,
        Duration::from_secs(300),
    ));
    Ok((address, async move { axum::serve(listener, router).with_graceful_shutdown(stop).await }))
}

/// Asks for the bearer token, where there is one to ask for. Digests are compared, so that time tells nothing.
async fn authorise(AxumState(api): AxumState<Api>, request: Request, next: Next) -> Result<Response, Problem> {
    if let Some(token) = &api.token {
        let given = request.headers().get(AUTHORIZATION).and_then(|header| header.to_str().ok());
        let given = given.and_then(|header| header.strip_prefix("Bearer ")).unwrap_or_default();
        if Sha256::digest(given) != Sha256::digest(token.expose_secret()) {
            return Err(Problem::unauthorised());
        }
    }
    Ok(next.run(request).await)
}
