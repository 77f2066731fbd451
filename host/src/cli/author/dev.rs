//! `dev`: builds a project and runs its cases at every change, and makes what passes live in a running pipeline.
//!
//! One line for each step; what a step has to say more stands below it. A step that fails ends its round, and
//! nothing of it reaches the pipeline.

mod live;
mod watch;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use super::{
    super::{
        client::Client,
        output::{self, Failure, Kind},
    },
    build, shown,
    test::{self, Tried},
};
use live::Live;
use watch::{Event, Files, Watch, next_change};

/// A change is over when nothing happened for so long: editors write a file in several steps.
const QUIET: Duration = Duration::from_millis(100);

/// What `dev` is asked for.
pub(in crate::cli) struct Dev {
    pub(in crate::cli) folder: PathBuf,
    /// The pipeline to make live what passes, and the host that it runs on.
    pub(in crate::cli) pipeline: Option<(String, Client)>,
    /// One round, and no watching.
    pub(in crate::cli) once: bool,
    pub(in crate::cli) json: bool,
}

pub(in crate::cli) fn dev(asked: &Dev) -> Result<ExitCode, Failure> {
    let folder = asked
        .folder
        .canonicalize()
        .map_err(|error| Failure::new(Kind::Usage, format!("{}: {error}", asked.folder.display())))?;
    let mut rounds = Rounds {
        folder: &folder,
        live: asked.pipeline.as_ref().map(|(pipeline, client)| Live::new(pipeline, client)),
        json: asked.json,
    };
    if asked.once {
        return rounds.round().map(|passed| if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let (watch, events) = Watch::start(&folder)?;
    let mut seen = Files::of(&folder);
    loop {
        if let Err(failure) = rounds.round() {
            rounds.say(&Step { step: "failed", ok: false, says: failure.message, took: Duration::ZERO })?;
        }
        rounds.say(&Step {
            step: "waiting",
            ok: true,
            says: "for a change; Ctrl-C ends".into(),
            took: Duration::ZERO,
        })?;
        loop {
            if next_change(&events, QUIET) == Event::End {
                drop(watch);
                return Ok(ExitCode::SUCCESS);
            }
            // A build writes too, and an editor may write what is there: only what differs is a change.
            let now = Files::of(&folder);
            let changed = now.changed(&seen);
            let more = if changed.len() > 1 { format!(" and {} more", changed.len() - 1) } else { String::new() };
            let says = changed.first().map(|file| format!("{}{more}", file.display()));
            seen = now;
            if let Some(says) = says {
                rounds.say(&Step { step: "changed", ok: true, says, took: Duration::ZERO })?;
                break;
            }
        }
    }
}

/// A step of a round, as it is said.
#[derive(serde::Serialize)]
struct Step {
    step: &'static str,
    ok: bool,
    says: String,
    #[serde(rename = "ms", serialize_with = "milliseconds")]
    took: Duration,
}

fn milliseconds<S: serde::Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u128(time.as_millis())
}

struct Rounds<'r> {
    folder: &'r Path,
    live: Option<Live<'r>>,
    json: bool,
}

impl Rounds<'_> {
    /// Builds, runs the cases, and makes live. The answer says whether all went well; an error is none of the
    /// project's.
    fn round(&mut self) -> Result<bool, Failure> {
        let begin = Instant::now();
        let built = match build::project(self.folder) {
            Ok(built) => built,
            Err(failure) => return self.failed("build", begin, failure.message),
        };
        let says = format!("{}, {} KiB", shown(&built.file), built.bytes.len().div_ceil(1024));
        self.done("build", begin, says)?;

        let begin = Instant::now();
        let Tried { module, verdicts, _engine } = match test::try_cases(self.folder, &built, false) {
            Ok(tried) => tried,
            Err(failure) => return self.failed("test", begin, failure.message),
        };
        let failed: Vec<_> = verdicts.iter().filter(|verdict| !verdict.passed).collect();
        let mut says = format!("{} passed, {} failed", verdicts.len() - failed.len(), failed.len());
        if !failed.is_empty() {
            for verdict in failed {
                let difference = verdict.difference.as_deref().unwrap_or_default().trim_end();
                says.push_str(&format!("\n{}: DIFFERS\n{difference}", verdict.case));
            }
            return self.failed("test", begin, says);
        }
        self.done("test", begin, says)?;

        let begin = Instant::now();
        match self.live.as_mut().map(|live| live.swap(&module, &built.bytes)) {
            None => Ok(true),
            Some(Ok(says)) => self.done("swap", begin, says).map(|()| true),
            Some(Err(failure)) => self.failed("swap", begin, failure.message),
        }
    }

    fn done(&self, step: &'static str, begin: Instant, says: String) -> Result<(), Failure> {
        self.say(&Step { step, ok: true, says, took: begin.elapsed() })
    }

    fn failed(&self, step: &'static str, begin: Instant, says: String) -> Result<bool, Failure> {
        self.say(&Step { step, ok: false, says, took: begin.elapsed() }).map(|()| false)
    }

    fn say(&self, step: &Step) -> Result<(), Failure> {
        if self.json {
            return output::json(step);
        }
        let Step { step, ok, says, took } = step;
        let took = if took.is_zero() { String::new() } else { format!(" ({:.1} s)", took.as_secs_f64()) };
        let word = if *ok { "" } else { "FAILED: " };
        // What is more than a line stands below it.
        let (says, more) = says.split_once('\n').unwrap_or((says, ""));
        output::line(format_args!("{step:8} {word}{says}{took}"));
        if !more.is_empty() {
            output::line(more);
        }
        Ok(())
    }
}
