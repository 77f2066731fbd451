//! `run`: a host.

use std::{path::Path, process::ExitCode, sync::Arc, time::Duration};

use secrecy::SecretString;
use tokio::signal::unix::{SignalKind, signal};

use super::{
    args::Run,
    client::read_token,
    logging,
    output::{Failure, Kind},
    validate::{config_failure, read},
};
use crate::{
    admin,
    config::{self, Environment},
    control::{Changed, ControlError, Controller, Options},
    engine::{CompileLimits, Engine, EngineOptions},
};

/// Threads for the admin API and for sinks that speak to servers; lanes have their own.
const WORKERS: usize = 2;

/// Exit code of a host that had to end before all that was in flight was delivered.
const LEFT: u8 = 6;
/// And of one that was told to end at once.
const AT_ONCE: i32 = 7;
/// For clients to be closed, after the drain: one that has lost its cluster can take as long as it likes.
const CLOSING: Duration = Duration::from_secs(15);

pub(super) fn run(args: Run, token_file: Option<&Path>) -> Result<ExitCode, Failure> {
    logging::start("info");
    let token = token_file.map(read_token).transpose()?.map(SecretString::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .map_err(Failure::failed)?;
    let engine = Engine::new(EngineOptions {
        cache: args.data_dir.join("artifacts"),
        compiler: std::env::current_exe().map_err(Failure::failed)?,
        instances: args.instances,
        compile: CompileLimits::default(),
    })
    .map_err(Failure::failed)?;
    let handle = runtime.handle().clone();
    let options = Options { data: args.data_dir.clone(), engine, runtime: handle, vars: Arc::new(Environment) };
    let controller = Controller::open(options).map_err(Failure::failed)?;
    apply(&controller, &args)?;
    let drain = Duration::from_secs(args.drain);
    let left = runtime.block_on(serve(controller, &args, token, drain))?;
    if left > 0 {
        tracing::warn!(left, "stopped with batches in flight: they will be delivered again");
        return Ok(ExitCode::from(LEFT));
    }
    Ok(ExitCode::SUCCESS)
}

/// Creates or changes the pipelines of the command line. A mistake in one ends the start, before anything is consumed.
fn apply(controller: &Controller, args: &Run) -> Result<(), Failure> {
    let read_all = args.pipelines.iter().map(|file| {
        let (text, base) = read(file)?;
        let loaded = config::load(&text, &file.display().to_string(), &base, &Environment).map_err(config_failure)?;
        Ok((loaded.pipeline.name, text, base))
    });
    let pipelines: Vec<_> = read_all.collect::<Result<_, Failure>>()?;
    for (name, text, base) in pipelines {
        let applied = controller.put_pipeline_at_start(&name, &text, &base);
        let Changed { status, warnings, .. } = applied.map_err(|error| match error {
            ControlError::Config(error) => config_failure(*error),
            error => Failure::new(Kind::Refused, format!("pipeline `{name}`: {error}")),
        })?;
        warnings.iter().for_each(|warning| tracing::warn!(pipeline = name, %warning, "configuration"));
        let module = format!("{}@{}", status.module.name, status.module.version);
        tracing::info!(pipeline = name, release = status.release, module, "pipeline");
    }
    Ok(())
}

async fn serve(
    controller: Controller,
    args: &Run,
    token: Option<SecretString>,
    drain: Duration,
) -> Result<usize, Failure> {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let base = std::env::current_dir().map_err(Failure::failed)?;
    let options = admin::Options { listen: args.admin, token, base };
    let stopped = async move { drop(stopped.await) };
    let (address, server) = admin::serve(controller.clone(), options, stopped)
        .await
        .map_err(|error| Failure::new(Kind::Usage, error.to_string()))?;
    tracing::info!(%address, data = %args.data_dir.display(), "admin API");
    let server = tokio::spawn(server);

    let signals = || Ok::<_, std::io::Error>((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?));
    let (mut terminate, mut interrupt) = signals().map_err(Failure::failed)?;
    tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    tracing::info!(?drain, "stopping: a second signal ends at once");
    let stopping = controller.clone();
    let draining = tokio::task::spawn_blocking(move || stopping.shutdown(drain));
    let left = tokio::select! {
        left = draining => left.map_err(Failure::failed)?,
        () = tokio::time::sleep(drain + CLOSING) => {
            if controller.left() == Some(0) {
                tracing::warn!("a client does not close; everything is delivered and committed");
                std::process::exit(0);
            }
            tracing::warn!("a client does not close: what is in flight will be delivered again");
            std::process::exit(LEFT.into())
        }
        _ = terminate.recv() => std::process::exit(AT_ONCE),
        _ = interrupt.recv() => std::process::exit(AT_ONCE),
    };
    drop(stop);
    server.abort();
    Ok(left)
}
