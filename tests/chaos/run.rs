//! One run: start, strike, heal, wait, look.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    thread::{self, sleep},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use e2e::Keys;

use super::{
    Args,
    findings::Findings,
    load::load,
    plan::{Fault, Target, plan},
    read,
    record::SAMPLE,
    report::{Report, Struck},
    strike::strike,
    truth::{Row, Truth},
    world::{PIPELINES, World},
};

/// Faults at a time.
const AT_A_TIME: usize = 3;
/// For all that was written to come through after the last fault.
const SETTLING: Duration = Duration::from_secs(600);

/// What faults have done so far.
#[derive(Default)]
struct Log {
    struck: Vec<Struck>,
    /// What hosts did that they must not do.
    violations: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Report {
    // Removed with what runs in it, by `World`.
    let folder = tempfile::Builder::new().prefix("wasmill-chaos.").tempdir().expect("a folder").keep();
    let begin = Instant::now();
    let world = World::start(&folder);
    eprintln!("{:>6.1} s  all is up", begin.elapsed().as_secs_f64());
    let (stop, written, log) = (AtomicBool::new(false), AtomicU64::new(0), Mutex::new(Log::default()));
    let struck_at = Instant::now();
    let records = thread::scope(|scope| {
        let writer = scope.spawn(|| load(&world, args.seed, args.rate, &stop, &written));
        strike_all(args, &world, &written, &log, begin);
        stop.store(true, SeqCst);
        writer.join().expect("the writer")
    });
    let striking = struck_at.elapsed();
    world.heal();
    let mut log = log.into_inner().expect("no panic");
    eprintln!("{:>6.1} s  {records} records written; waiting for them", begin.elapsed().as_secs_f64());
    if let Err(late) = settle(&world) {
        log.violations.push(late);
    }
    eprintln!("{:>6.1} s  all is through; the hosts end", begin.elapsed().as_secs_f64());
    log.violations.extend(farewell(&world));
    eprintln!("{:>6.1} s  looking at what is there", begin.elapsed().as_secs_f64());
    let (written_again, (findings, doubles)) = match Truth::read(&world, records) {
        Ok(truth) => (truth.written_again(), look(&world, &truth, &log.struck)),
        Err(reason) => {
            log.violations.push(reason);
            (0, (Vec::new(), BTreeMap::new()))
        }
    };
    let Log { struck, violations } = log;
    if !violations.is_empty() {
        keep_logs(&world);
    }
    Report { args: args.clone(), records, written_again, striking, struck, violations, findings, doubles }
}

/// Lets faults strike, some at a time, none on a target that is struck.
fn strike_all(args: &Args, world: &World, written: &AtomicU64, log: &Mutex<Log>, begin: Instant) {
    let until = Instant::now() + Duration::from_secs(60 * args.minutes);
    let busy: Mutex<BTreeSet<Target>> = Mutex::new(BTreeSet::new());
    // What was put off since its target was struck.
    let mut put_off: Vec<Fault> = Vec::new();
    let (mut faults, mut count) = (plan(args.seed, args.pause()), 0);
    thread::scope(|scope| {
        while count < args.faults || Instant::now() < until {
            let free = |fault: &Fault| {
                let busy = busy.lock().expect("no panic");
                busy.len() < AT_A_TIME && !busy.contains(&fault.target)
            };
            let fault = match put_off.iter().position(free) {
                Some(at) => put_off.remove(at),
                None if put_off.len() > AT_A_TIME => {
                    sleep(Duration::from_millis(50));
                    continue;
                }
                None => {
                    let Some(next) = faults.next() else { return };
                    sleep(next.pause);
                    if !free(&next) {
                        put_off.push(next);
                        continue;
                    }
                    next
                }
            };
            count += 1;
            busy.lock().expect("no panic").insert(fault.target);
            let (busy, number) = (&busy, count);
            scope.spawn(move || {
                let (at, since) = (now(), Instant::now());
                let struck = strike(world, &fault);
                let whole = since.elapsed();
                busy.lock().expect("no panic").remove(&fault.target);
                let mut log = log.lock().expect("no panic");
                let what = match struck {
                    Ok(what) => what,
                    Err(violation) => {
                        log.violations.push(format!("fault {number}, {}: {violation}", fault.kind.name()));
                        violation
                    }
                };
                eprintln!(
                    "{:>6.1} s  fault {number}: {}, {what}, {:.1} s; {} records written",
                    begin.elapsed().as_secs_f64(),
                    fault.kind.name(),
                    whole.as_secs_f64(),
                    written.load(Relaxed)
                );
                log.struck.push(Struck { at, kind: fault.kind.name(), seconds: whole.as_secs_f64() });
            });
        }
    });
}

/// Milliseconds since 1970.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as i64)
}

/// Waits until both groups have committed all.
fn settle(world: &World) -> Result<(), String> {
    let until = Instant::now() + SETTLING;
    loop {
        let lags: Vec<_> = PIPELINES.iter().map(|pipeline| read::lag(world, &world.group(pipeline))).collect();
        if lags.iter().all(BTreeMap::is_empty) {
            return Ok(());
        }
        if Instant::now() > until {
            let states = world.hosts.iter().map(|host| host.lock().cli(&["status"]).json.to_string());
            let states: Vec<String> = states.collect();
            return Err(format!(
                "{SETTLING:?} after the last fault not all is through: {lags:?}; {}",
                states.join("; ")
            ));
        }
        sleep(Duration::from_millis(500));
    }
}

/// Ends the hosts; answers what is wrong with how they ended, and with what they wrote.
fn farewell(world: &World) -> Vec<String> {
    let mut violations = Vec::new();
    for (number, host) in world.hosts.iter().enumerate() {
        let mut host = host.lock();
        for pipeline in PIPELINES {
            let status = host.cli(&["status", pipeline]).json;
            if status["state"] != "running" {
                violations.push(format!("host {number}: `{pipeline}` is {}: {}", status["state"], status["reason"]));
            }
        }
        let code = host.terminate();
        let log = host.log();
        if code != Some(0) {
            let last = log.rsplit("stopping: ").next().unwrap_or_default();
            violations.push(format!("host {number} had nothing to do and ended with {code:?}, after {last}"));
        }
        let panics = log.lines().filter(|line| line.contains("panicked at"));
        violations.extend(panics.take(3).map(|line| format!("host {number}: {line}")));
    }
    violations
}

/// Leaves the logs of the hosts where they can be read.
fn keep_logs(world: &World) {
    let folder = e2e::root().join("target/chaos");
    std::fs::create_dir_all(&folder).expect("a folder");
    for (number, host) in world.hosts.iter().enumerate() {
        std::fs::write(folder.join(format!("host-{number}.log")), host.lock().log()).expect("written");
    }
    eprintln!("the hosts' logs are in {}", folder.display());
}

/// Reads every sink. Duplicates of `alo` are counted by the kind of the last fault that began before them.
fn look(world: &World, truth: &Truth, struck: &[Struck]) -> (Vec<Findings>, BTreeMap<&'static str, u64>) {
    let mut doubles = BTreeMap::new();
    let mut count = |at: i64| {
        let last = struck.iter().filter(|struck| struck.at <= at).max_by_key(|struck| struck.at);
        *doubles.entry(last.map_or("none", |last| last.kind)).or_default() += 1;
    };
    let all = |_: u64, row: &Row| row.word.copies();
    let dead = |_: u64, row: &Row| usize::from(row.word.is_dead());
    let sampled = |number: u64, row: &Row| usize::from(number.is_multiple_of(SAMPLE) && row.word.is_sampled());
    let mut keys = Keys::of(&world.keys);
    let mut findings = vec![
        truth.topic(world, ("kafka, at-least-once", "out-alo"), true, all, &mut count),
        truth.topic(world, ("its dead letters", "dead-alo"), true, dead, |_| {}),
        truth.topic(world, ("kafka, exactly-once", "out-eo"), false, all, |_| {}),
        truth.topic(world, ("its second topic", "sample-eo"), false, sampled, |_| {}),
        truth.topic(world, ("its dead letters", "dead-eo"), false, dead, |_| {}),
        truth.documents_by_key(world),
        truth.strings_by_key(&mut keys),
        truth.documents(world),
    ];
    let topic = world.topic("in");
    let keys = Mutex::new(keys);
    findings.push(truth.entries("redis, a stream per partition", |partition| {
        let key = format!("stream:{topic}:{partition}");
        let entries: Vec<(String, Vec<String>)> = keys.lock().expect("no panic").run("XRANGE", &key, &["-", "+"]);
        entries.into_iter().filter_map(|(_, mut fields)| fields.pop()).collect()
    }));
    findings.push(truth.entries("redis, a list per partition", |partition| {
        keys.lock().expect("no panic").run("LRANGE", &format!("list:{partition}"), &["0", "-1"])
    }));
    (findings, doubles)
}
