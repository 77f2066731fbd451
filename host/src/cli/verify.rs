//! `verify`: compares two logs, shows how far it is, and says what differs.

use std::{
    io::IsTerminal as _,
    path::Path,
    process::ExitCode,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use crossbeam_channel::RecvTimeoutError;
use indicatif::{ProgressBar, ProgressStyle};

use super::{
    args::{self, Verify},
    logging,
    output::{self, Failure, Kind},
};
use crate::verify::{
    self, By, Difference, Ignored, Place, Progress, ReadError, Report, Room, Rules, Side, VerifyError,
};

/// Time between two drawings on a terminal.
const DRAWING: Duration = Duration::from_millis(200);

/// Time between two lines where no terminal looks.
const LINES: Duration = Duration::from_secs(5);

pub(super) fn verify(args: &Verify, json: bool) -> Result<ExitCode, Failure> {
    // What librdkafka has to say of a cluster comes back as an error.
    logging::start("warn,librdkafka=off");
    let (from, to) = (side("--from", &args.from)?, side("--to", &args.to)?);
    let rules = rules(args)?;
    let folder = args.temp_dir.clone().unwrap_or_else(std::env::temp_dir);
    let room = Room { memory: (args.memory as usize) << 20, folder };
    let progress = Progress::default();
    let compared = std::thread::scope(|scope| {
        let (done, end) = crossbeam_channel::bounded(1);
        let (from, to, rules, room, progress) = (&from, &to, &rules, &room, &progress);
        scope.spawn(move || {
            // Nobody waits for it only where the drawing has failed.
            drop(done.send(verify::run(from, to, rules, room, progress)));
        });
        let mut screen = Screen::new();
        loop {
            match end.recv_timeout(screen.interval()) {
                Ok(compared) => {
                    screen.finish();
                    return compared;
                }
                Err(RecvTimeoutError::Timeout) => screen.draw(progress),
                Err(RecvTimeoutError::Disconnected) => return Err(VerifyError::Thread),
            }
        }
    });
    let report = compared.map_err(failure)?;
    if json {
        output::json(&report)?;
    } else {
        tell(args, &report);
    }
    Ok(if report.equal { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn side(option: &str, text: &str) -> Result<Side, Failure> {
    let file = |path: &Path| std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
    Side::parse(text, &file).map_err(|reason| Failure::new(Kind::Usage, format!("{option}: {reason}")))
}

fn rules(args: &Verify) -> Result<Rules, Failure> {
    let by = match args.by {
        args::By::Lineage => By::Lineage,
        args::By::Key => By::Key,
    };
    for (option, given) in [("--overlap", args.overlap), ("--skip-unmarked", args.skip_unmarked)] {
        if given && by == By::Key {
            return Err(Failure::new(Kind::Usage, format!("{option} goes with --by lineage")));
        }
    }
    let ignore_headers = match (args.ignore_headers, args.ignore_header.is_empty()) {
        (true, _) => Ignored::All,
        (false, true) => Ignored::None,
        (false, false) => Ignored::Named(args.ignore_header.clone()),
    };
    Ok(Rules {
        by,
        overlap: args.overlap,
        skip_unmarked: args.skip_unmarked,
        same_partitions: args.same_partitions,
        strict: args.strict,
        ignore_headers,
        ignore_timestamps: args.ignore_timestamps,
        show: args.show as usize,
    })
}

/// 1 is kept for logs that differ.
fn failure(error: VerifyError) -> Failure {
    let kind = match &error {
        VerifyError::Cluster { error: ReadError::NoTopic(_), .. } => Kind::NotFound,
        VerifyError::Cluster { error: ReadError::Refused(_), .. } => Kind::Refused,
        VerifyError::Cluster { error: ReadError::Settings(_), .. }
        | VerifyError::Disk { .. }
        | VerifyError::Unmarked(_)
        | VerifyError::NoOverlap(_) => Kind::Usage,
        VerifyError::Cluster { .. } | VerifyError::Silence { .. } | VerifyError::Thread | VerifyError::Stopped => {
            Kind::Unreachable
        }
    };
    Failure::new(kind, error.to_string())
}

fn tell(args: &Verify, report: &Report) {
    for (name, side) in [("from", &report.from), ("to", &report.to)] {
        output::line(format_args!(
            "{name:<4} {}: {} records in {} partitions, {} of them duplicates",
            side.topic, side.records, side.partitions, side.duplicates
        ));
    }
    output::line(format_args!(
        "by {}: {} the same, {} missing, {} extra, {} different, {} reordered{}",
        report.by,
        report.same,
        report.missing,
        report.extra,
        report.different,
        report.reordered,
        if report.outside > 0 { format!("; {} outside of what both have", report.outside) } else { String::new() },
    ));
    for difference in &report.differences {
        output::line(format_args!("  {}", sentence(report, difference)));
    }
    let named = report.differences.len() as u64;
    let all = report.missing + report.extra + report.different + report.reordered;
    if all > named {
        output::line(format_args!("  and {} more (--show)", all - named));
    }
    if args.by == args::By::Lineage && !report.equal && report.to.records > 0 && report.to.unmarked == report.to.records
    {
        output::line(
            "no record of --to has lineage headers (`lineage: true` of a Kafka sink), so each stood for its own place; \
             --by key compares keys and contents",
        );
    }
    output::line(if report.equal { "equal" } else { "different" });
}

fn sentence(report: &Report, difference: &Difference) -> String {
    let place = |topic: &str, place: Option<Place>| {
        place.map(|Place { partition, offset }| format!("{topic}[{partition}] offset {offset}"))
    };
    let places = [("from", place(&report.from.topic, difference.from)), ("to", place(&report.to.topic, difference.to))];
    let places: Vec<String> =
        places.into_iter().filter_map(|(name, place)| Some(format!("{name} {}", place?))).collect();
    let mut sentence = format!("{}: {}", word(difference), places.join(", "));
    if let Some(origin) = &difference.came_from {
        sentence += &format!(" (of {}[{}] offset {})", origin.topic, origin.partition, origin.offset);
    }
    sentence
}

fn word(difference: &Difference) -> String {
    match difference.kind {
        verify::Kind::Missing => "missing".into(),
        verify::Kind::Extra => "extra".into(),
        verify::Kind::Reordered => "reordered".into(),
        verify::Kind::Different => format!("different in {}", difference.what.join(", ")),
    }
}

/// How far it is: a bar on a terminal, otherwise a line now and then.
struct Screen {
    bar: Option<ProgressBar>,
    begun: Instant,
}

impl Screen {
    fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::no_length();
            if let Ok(style) = ProgressStyle::with_template("{msg} {bar:40} {human_pos} of {human_len} records, {eta}")
            {
                bar.set_style(style);
            }
            bar
        });
        Self { bar, begun: Instant::now() }
    }

    fn interval(&self) -> Duration {
        if self.bar.is_some() { DRAWING } else { LINES }
    }

    fn draw(&mut self, progress: &Progress) {
        let [expected, read, compared] =
            [&progress.expected, &progress.read, &progress.compared].map(|count| count.load(Relaxed));
        let (what, done, all) = if compared > 0 { ("compared", compared, read) } else { ("read", read, expected) };
        match &self.bar {
            Some(bar) => {
                bar.set_length(all);
                bar.set_position(done);
                bar.set_message(what);
            }
            None => {
                output::note(format_args!(
                    "verify: {done} of {all} records {what}, {} s",
                    self.begun.elapsed().as_secs()
                ));
            }
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
