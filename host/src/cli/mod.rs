//! The command line: `wasmill VERB`. Each verb is a file; all share how they fail and how they print.
//!
//! Exit codes: 0 done; 1 failed; 2 wrong usage; 3 the host cannot be reached; 4 what was asked for is not there;
//! 5 the host refused. Of `run` also: 6 ended before all that was in flight was delivered; 7 ended at once, by a second
//! signal. `verify` says with 1 that the logs differ, and with another code that it could not compare them.

mod args;
mod author;
mod client;
mod compile;
mod demo;
mod logging;
mod output;
mod remote;
mod run;
mod trigger;
mod validate;
mod verify;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Args, Verb};
use output::Failure;

/// Parses the command line and runs the verb.
pub fn main() -> ExitCode {
    small_pages();
    let args = Args::parse();
    let json = args.json;
    match dispatch(args) {
        Ok(code) => code,
        Err(failure) => output::report(&failure, json),
    }
}

/// Has memory come in pages of 4 KiB. The allocator's arena lies in one piece that the kernel may fill with pages of
/// 2 MiB, whole ones for a few bytes: a host at rest held 57 MiB in place of 30, for no less CPU than the runs of a bench
/// differ by (ADR 0008). The allocator does not ask for them (`no_thp`); this is for kernels that give them unasked.
fn small_pages() {
    // Where it is refused, memory is all that is lost.
    #[cfg(target_os = "linux")]
    rustix::thread::disable_transparent_huge_pages(true).ok();
}

fn dispatch(args: Args) -> Result<ExitCode, Failure> {
    let Args { json, host, token_file, verb } = args;
    let remote = || client::Client::new(&host, token_file.as_deref());
    let done = |result: Result<(), Failure>| result.map(|()| ExitCode::SUCCESS);
    match verb {
        Verb::Demo { records } => demo::demo(records, json),
        Verb::Verify(args) => verify::verify(&args, json),
        Verb::Run(run) => run::run(run, token_file.as_deref()),
        Verb::Validate { files } => validate::validate(&files, json),
        Verb::Schema => done(validate::schema()),
        Verb::New { language, name, template, sdk } => done(author::new(&author::New {
            language: &language,
            name: &name,
            template: &template,
            sdk: sdk.as_deref(),
            json,
        })),
        Verb::Build { folder } => done(author::build(&folder, json)),
        Verb::Test { folder, module, update } => author::test(&author::Test { folder, module, update, json }),
        Verb::Dev { folder, pipeline, once } => {
            let pipeline = pipeline.map(|pipeline| remote().map(|client| (pipeline, client))).transpose()?;
            author::dev(&author::Dev { folder, pipeline, once, json })
        }
        Verb::Inspect { file } => author::inspect(&file, json),
        Verb::CompileWorker { input, output, memory, cpu_seconds } => {
            done(compile::worker(&input, &output, memory, cpu_seconds))
        }
        Verb::Push { file, module } => done(remote::push(&remote()?, &file, &module, json)),
        Verb::Deploy { pipeline, module, config } => done(remote::deploy(&remote()?, &pipeline, module, &config, json)),
        Verb::Rollback { pipeline } => done(remote::steer(&remote()?, &pipeline, "rollback", json)),
        Verb::Pause { pipeline } => done(remote::steer(&remote()?, &pipeline, "pause", json)),
        Verb::Resume { pipeline } => done(remote::steer(&remote()?, &pipeline, "resume", json)),
        Verb::Status { pipeline } => done(remote::status(&remote()?, pipeline.as_deref(), json)),
        Verb::Releases { pipeline } => done(remote::releases(&remote()?, &pipeline, json)),
        Verb::Logs { pipeline, follow } => done(remote::logs(&remote()?, &pipeline, follow, json)),
        Verb::Set { pipeline, changes } => done(trigger::set(&remote()?, &pipeline, &changes, json)),
        Verb::Seek { pipeline, to, dry_run } => done(trigger::seek(&remote()?, &pipeline, &to, dry_run, json)),
        Verb::Invoke(invoke) => done(trigger::invoke(&remote()?, invoke, json)),
        Verb::Apply { files } => done(remote::apply(&remote()?, &files, json)),
        Verb::Delete { pipeline } => done(remote::delete(&remote()?, &pipeline, json)),
    }
}
