//! The servers, by `scripts/services/up.sh`: they end with the test process.

use std::{collections::HashMap, path::PathBuf, process::Command, sync::OnceLock};

/// Addresses of the services of this run.
pub struct Services {
    /// Bootstrap servers.
    pub kafka: String,
    /// URL of the one node.
    pub elasticsearch: String,
    /// URL.
    pub redis: String,
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
        })
    }
}

fn start() -> Services {
    let up = Command::new(root().join("scripts/services/up.sh"))
        .args(["--watch-pid", &std::process::id().to_string()])
        .output()
        .expect("up.sh runs");
    assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
    let text = String::from_utf8(up.stdout).expect("text");
    let found: HashMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
    Services::find(|name| found.get(name).map(ToString::to_string)).expect("all addresses")
}
