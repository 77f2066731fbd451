//! The servers, by `scripts/services/up.sh`: they end with the test process.

use std::{collections::HashMap, path::PathBuf, process::Command, sync::OnceLock};

/// Addresses of the services of this run.
pub struct Services {
    /// Bootstrap servers.
    pub kafka: String,
}

/// The project's root.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the project")
}

/// Starts the services with the first call. Those that the environment names (`WASMILL_TEST_KAFKA`) are taken as they
/// are.
pub fn services() -> &'static Services {
    static SERVICES: OnceLock<Services> = OnceLock::new();
    SERVICES.get_or_init(|| {
        if let Ok(kafka) = std::env::var("WASMILL_TEST_KAFKA") {
            return Services { kafka };
        }
        let up = Command::new(root().join("scripts/services/up.sh"))
            .args(["--watch-pid", &std::process::id().to_string(), "kafka"])
            .output()
            .expect("up.sh runs");
        assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
        let text = String::from_utf8(up.stdout).expect("text");
        let found: HashMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
        Services { kafka: found["WASMILL_TEST_KAFKA"].into() }
    })
}
