//! The HTTP face of the control plane: `/v1`, health, metrics, and the OpenAPI document of all that.
//!
//! Handlers parse, call the [`Controller`] off the async workers, and render. Nothing below knows HTTP status codes;
//! the one table that maps errors to them is in `problem.rs`.

mod document;
mod health;
mod metrics;
mod modules;
mod pipelines;
mod problem;
mod trigger;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State as AxumState},
    http::{StatusCode, header::AUTHORIZATION},
    middleware::{self, Next},
    response::Response,
};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tower_http::timeout::TimeoutLayer;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::control::Controller;
pub use document::openapi;
pub use problem::Problem;

/// Largest request body: a module.
const BODY_MAX: usize = 64 << 20;

/// Longest time that a request may take: compiling is the slowest, and has a limit of its own.
const REQUEST_MAX: Duration = Duration::from_secs(300);

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

/// Calls that ask for the token.
fn guarded() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(modules::put))
        .routes(routes!(modules::list))
        .routes(routes!(pipelines::list))
        .routes(routes!(pipelines::put, pipelines::get, pipelines::delete, trigger::patch))
        .routes(routes!(pipelines::swap))
        .routes(routes!(pipelines::rollback))
        .routes(routes!(pipelines::pause))
        .routes(routes!(pipelines::resume))
        .routes(routes!(trigger::seek))
        .routes(routes!(trigger::fire))
        .routes(routes!(trigger::invoke))
        .routes(routes!(trigger::batches))
        .routes(routes!(trigger::put_batch, trigger::batch, trigger::delete_batch))
        .routes(routes!(pipelines::releases))
        .routes(routes!(pipelines::logs))
        .routes(routes!(document::serve))
}

/// Calls of probes and scrapers, which know no token.
fn open() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
        .routes(routes!(metrics::metrics))
}

/// Every answer that is no success leaves as a problem, whoever made it: that layer is the outermost.
fn router(api: Api) -> Router {
    let guarded: Router<Api> = guarded().layer(middleware::from_fn_with_state(api.clone(), authorise)).into();
    guarded
        .merge(Router::<Api>::from(open()))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_MAX))
        .layer(middleware::map_response(problem::complete))
        .with_state(api)
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
    let router = router(Api { controller, base: Arc::new(base), token: token.map(Arc::new) });
    Ok((address, async move { axum::serve(listener, router).with_graceful_shutdown(stop).await }))
}

/// Asks for the bearer token, where there is one to ask for. Digests are compared, so that time tells nothing.
async fn authorise(AxumState(api): AxumState<Api>, request: Request, next: Next) -> Result<Response, Problem> {
    if let Some(token) = &api.token {
        let given = request.headers().get(AUTHORIZATION).and_then(|header| header.to_str().ok());
        // RFC 9110: the name of a scheme has no case.
        let given = given.and_then(|header| header.split_once(' '));
        let given = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let right = given.is_some_and(|(_, given)| Sha256::digest(given) == Sha256::digest(token.expose_secret()));
        if !right {
            return Err(Problem::unauthorised());
        }
    }
    Ok(next.run(request).await)
}
