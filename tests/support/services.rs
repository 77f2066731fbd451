//! The servers, by `scripts/services/up.sh`: they end with the test process.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, OnceLock},
};

use crate::Topic;

/// Addresses of the services of this run.
pub struct Services {
    /// Bootstrap servers.
    pub kafka: String,
    /// URL of the one node.
    pub elasticsearch: String,
    /// URL.
    pub redis: String,
    /// What `up.sh` calls their folder, where it is known.
    pub folder: Option<String>,
}

/// The project's root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the project")
}

static SERVICES: OnceLock<Services> = OnceLock::new();

/// Takes these servers for the whole run; for programs that started their own. Does nothing after the first use.
pub fn use_services(services: Services) {
    drop(SERVICES.set(services));
}

/// Starts the services with the first call. Where the environment names all of them (`WASMILL_TEST_KAFKA`,
/// `WASMILL_TEST_ELASTICSEARCH`, `WASMILL_TEST_REDIS`, as `up.sh` prints them) those are taken.
pub fn services() -> &'static Services {
    SERVICES.get_or_init(|| Services::find(|name| std::env::var(name).ok()).unwrap_or_else(start))
}

impl Services {
    /// From the variables that `up.sh` prints.
    pub fn find(address: impl Fn(&str) -> Option<String>) -> Option<Self> {
        Some(Self {
            kafka: address("WASMILL_TEST_KAFKA")?,
            elasticsearch: address("WASMILL_TEST_ELASTICSEARCH")?,
            redis: address("WASMILL_TEST_REDIS")?,
            folder: address("WASMILL_SERVICES_DIR"),
        })
    }
}

fn start() -> Services {
    let found = up(&["--watch-pid", &std::process::id().to_string()]);
    let services = Services::find(|name| found.get(name).cloned()).expect("all addresses");
    if let Some(folder) = services.folder.clone() {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            usual(panic);
            tell_of_the_dead(Path::new(&folder));
        }));
    }
    services
}

/// The last words of each server that should run and does not: most tests that fail then fail for that.
#[allow(clippy::print_stderr, reason = "it is for whoever reads a failed test")]
fn tell_of_the_dead(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Some(service) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".pid")) else { continue };
        let noted = fs::read_to_string(&path).unwrap_or_default();
        let Some(pid) = noted.split_whitespace().next() else { continue };
        // A process that ended and was not waited for is still there, without a command line.
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if line.is_empty() {
            let log = fs::read_to_string(folder.join(format!("{service}.log"))).unwrap_or_default();
            let end: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("{service} is dead; the end of its log:");
            end.iter().rev().for_each(|line| eprintln!("{service}: {line}"));
        }
    }
}

/// Starts more of the services in the folder of the others, or finds them there; answers the variables of all.
pub fn beside(more: &[&str]) -> HashMap<String, String> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let folder = services().folder.as_ref().expect("WASMILL_SERVICES_DIR, as up.sh prints it");
    let _turn = ONE_AT_A_TIME.lock().expect("no panic under the lock");
    up(&[&["--dir", folder], more].concat())
}

/// Another Kafka cluster of one broker, which knows nothing of the first: its bootstrap servers.
pub fn other_kafka() -> &'static str {
    static OTHER: OnceLock<String> = OnceLock::new();
    OTHER.get_or_init(|| {
        let found = up(&["--watch-pid", &std::process::id().to_string(), "kafka"]);
        found["WASMILL_TEST_KAFKA"].clone()
    })
}

/// A Redis that no other test uses: to be hung and started anew. It ends with the test process.
pub struct OwnRedis {
    pub url: String,
    folder: String,
}

impl OwnRedis {
    pub fn start() -> Self {
        let found = up(&["--watch-pid", &std::process::id().to_string(), "redis"]);
        Self { url: found["WASMILL_TEST_REDIS"].clone(), folder: found["WASMILL_SERVICES_DIR"].clone() }
    }

    /// Stops it with a signal and starts it again, on its port and with its data.
    pub fn restart(&self, signal: &str) {
        let script = root().join("scripts/services/restart.sh");
        let done = Command::new(script).args([&self.folder, "redis", signal]).output().expect("it runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// Sends a signal by its name: STOP hangs it, CONT lets it go on.
    pub fn signal(&self, signal: &str) {
        let noted = std::fs::read_to_string(format!("{}/redis.pid", self.folder)).expect("a pid file");
        let pid = noted.split_whitespace().next().expect("a pid");
        let sent = Command::new("kill").args([&format!("-{signal}"), pid]).status();
        assert!(sent.expect("kill runs").success());
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        // A stopped one would not end.
        self.signal("CONT");
    }
}

/// A Kafka cluster of a test's own, which it may kill and start again. Ends when dropped.
pub struct OwnKafka {
    /// Bootstrap servers.
    pub brokers: String,
    /// The same, for those who say that they are [`SASL_USER`].
    pub sasl: String,
    folder: String,
}

/// Name and password that [`OwnKafka::sasl`] knows.
pub const SASL_USER: (&str, &str) = ("wasmill", "wasmill-secret");

impl OwnKafka {
    pub fn start() -> Self {
        let found = up(&["--watch-pid", &std::process::id().to_string(), "kafka"]);
        let [brokers, sasl, folder] =
            ["WASMILL_TEST_KAFKA", "WASMILL_TEST_KAFKA_SASL", "WASMILL_SERVICES_DIR"].map(|name| found[name].clone());
        Self { brokers, sasl, folder }
    }

    /// Three brokers, `broker1` to `broker3`.
    pub fn cluster() -> Self {
        let found = up(&["--watch-pid", &std::process::id().to_string(), "cluster"]);
        let [brokers, folder] = ["WASMILL_TEST_KAFKA", "WASMILL_SERVICES_DIR"].map(|name| found[name].clone());
        Self { brokers, sasl: String::new(), folder }
    }

    /// Makes a topic in it.
    pub fn topic(&self, name: &str, partitions: i32, replicas: i32) -> Topic {
        Topic::made(&self.brokers, name, partitions, replicas, &[])
    }

    /// `kill -9`.
    pub fn kill(&self) {
        self.kill_one("kafka");
    }

    /// `kill -9` of one broker of a cluster.
    pub fn kill_one(&self, broker: &str) {
        self.script("stop.sh", &[broker, "KILL"]);
    }

    /// Starts one broker of a cluster with its data, on its port.
    pub fn restart_one(&self, broker: &str) {
        self.script("start.sh", &[broker]);
    }

    /// Starts it with its data, on its port.
    pub fn restart(&self) {
        self.restart_one("kafka");
    }

    fn script(&self, name: &str, args: &[&str]) {
        let mut script = Command::new(root().join("scripts/services").join(name));
        let done = script.arg(&self.folder).args(args).output().expect("it runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

impl Drop for OwnKafka {
    fn drop(&mut self) {
        let down = Command::new(root().join("scripts/services/down.sh")).arg(&self.folder).output();
        // The watchdog of the test's process does it otherwise.
        drop(down);
    }
}

fn up(args: &[&str]) -> HashMap<String, String> {
    let up = Command::new(root().join("scripts/services/up.sh")).args(args).output().expect("up.sh runs");
    assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
    let text = String::from_utf8(up.stdout).expect("text");
    text.lines().filter_map(|line| line.split_once('=')).map(|(name, value)| (name.into(), value.into())).collect()
}
