//! The real program: a host, and the verbs that speak to it.

use std::{
    fs::File,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{PATIENCE, services::root, wait_until};

/// The program, built before the tests run.
fn program() -> PathBuf {
    let program = std::env::var("WASMILL_BIN").map_or_else(|_| root().join("target/release/wasmill"), PathBuf::from);
    assert!(program.exists(), "{}: run `cargo build --release` first", program.display());
    program
}

/// A module of guest-examples.
pub fn guest(name: &str) -> String {
    let path = root().join(format!("target/guests/{name}.wasm"));
    assert!(path.exists(), "{}: run scripts/guests/build.sh first", path.display());
    path.display().to_string()
}

/// What a verb answered.
#[derive(Debug)]
pub struct Answer {
    pub code: i32,
    pub json: Value,
}

impl Answer {
    /// The answer of a verb that must have done its work.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.code, 0, "{}", self.json);
        self.json
    }
}

/// A running host; killed when dropped.
pub struct Host {
    child: Child,
    port: u16,
    files: Vec<PathBuf>,
    variables: Vec<(String, String)>,
    pub folder: tempfile::TempDir,
}

impl Host {
    pub fn start() -> Self {
        Self::run(&[], &[])
    }

    /// A host that is given pipeline files on its command line, and variables.
    pub fn run(files: &[PathBuf], variables: &[(String, String)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let child = command(folder.path(), port, files, variables).spawn().expect("a host");
        let host = Self { child, port, files: files.to_vec(), variables: variables.to_vec(), folder };
        host.wait_ready();
        host
    }

    /// A host whose start is refused: its exit code, and what it said.
    pub fn refused(files: &[PathBuf], variables: &[(String, String)]) -> (i32, String) {
        let folder = tempfile::tempdir().expect("a folder");
        let status = command(folder.path(), 0, files, variables).status().expect("it runs");
        let said = std::fs::read_to_string(folder.path().join("log")).expect("a log");
        (status.code().unwrap_or(-1), said)
    }

    fn wait_ready(&self) {
        wait_until("the host", || self.cli(&["status"]).code == 0);
    }

    /// `kill -9`, and a start with the same data directory.
    pub fn kill_and_restart(&mut self) {
        self.kill();
        self.restart();
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }

    /// A start with the same data directory, after an end.
    pub fn restart(&mut self) {
        let mut again = command(self.folder.path(), self.port, &self.files, &self.variables);
        self.child = again.spawn().expect("a host");
        self.wait_ready();
    }

    /// Sends a signal by its name.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([&format!("-{signal}"), &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// SIGTERM; answers the exit code, or none where the host does not end: it is killed then.
    pub fn terminate(&mut self) -> Option<i32> {
        self.signal("TERM");
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.kill();
        None
    }

    /// Runs a verb with `--json`.
    pub fn cli(&self, args: &[&str]) -> Answer {
        let done = Command::new(program())
            .args(["--json", "--host", &format!("http://127.0.0.1:{}", self.port)])
            .args(args)
            .output()
            .expect("it runs");
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        let json = text.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or(Value::Null);
        Answer { code: done.status.code().unwrap_or(-1), json }
    }

    /// Writes a pipeline file and applies it.
    pub fn apply(&self, name: &str, yaml: &str) -> Answer {
        let file = self.folder.path().join(format!("{name}.yaml"));
        std::fs::write(&file, yaml).expect("written");
        self.cli(&["apply", &file.display().to_string()])
    }

    pub fn status(&self, pipeline: &str) -> Value {
        self.cli(&["status", pipeline]).ok()
    }

    /// Rows that are through.
    pub fn through(&self, pipeline: &str) -> u64 {
        self.status(pipeline)["records"]["in"].as_u64().expect("a number")
    }

    /// Resident memory, in bytes.
    pub fn memory(&self) -> u64 {
        let path = format!("/proc/{}/statm", self.child.id());
        let text = std::fs::read_to_string(path).expect("a running host");
        let pages: u64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("pages");
        pages * 4096
    }

    /// Whether the kernel may give it pages of 2 MiB (`man proc_pid_status`).
    pub fn may_have_huge_pages(&self) -> bool {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a running host");
        text.lines().find_map(|line| line.strip_prefix("THP_enabled:")).expect("Linux 5.0").trim() != "0"
    }

    /// What the host wrote to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// A port that nobody listens on, from below those that the system gives to connections: any client could have one of
/// them by the time the host starts, or starts again.
fn free_port() -> u16 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first = range.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(32_768);
    let some = (0..100).map(|_| rand::random_range(10_000..first.max(10_001)));
    let free = some.chain([0]).find_map(|port| TcpListener::bind(("127.0.0.1", port)).ok());
    free.and_then(|free| free.local_addr().ok()).expect("a port").port()
}

/// Runs a verb that needs no host with `--json`; answers also the most memory that it took, in bytes.
pub fn with_peak_memory(args: &[&str]) -> (Answer, u64) {
    let output = tempfile::NamedTempFile::new().expect("a file");
    let mut child = Command::new(program())
        .arg("--json")
        .args(args)
        .stdout(output.reopen().expect("a file"))
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    let (mut peak, deadline) = (0, Instant::now() + PATIENCE);
    let status = loop {
        // What the kernel calls its high-water mark. It is gone when the program has ended.
        let text = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let mark = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        peak = mark.and_then(|mark| mark.parse().ok()).unwrap_or(peak);
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        assert!(Instant::now() < deadline, "it does not end");
        std::thread::sleep(Duration::from_millis(5));
    };
    let text = std::fs::read_to_string(output.path()).expect("its answer");
    let json = text.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or(Value::Null);
    (Answer { code: status.code().unwrap_or(-1), json }, peak << 10)
}

fn command(folder: &Path, port: u16, files: &[PathBuf], variables: &[(String, String)]) -> Command {
    let log = File::options().create(true).append(true).open(folder.join("log")).expect("a log");
    let mut command = Command::new(program());
    command
        .args(["run", "--admin", &format!("127.0.0.1:{port}"), "--data-dir"])
        .arg(folder.join("data"))
        .args(files)
        .envs(variables.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    // Where relative paths of what is applied later begin.
    if let Some(folder) = files.first().and_then(|file| file.parent()) {
        command.current_dir(folder);
    }
    command
}

impl Drop for Host {
    fn drop(&mut self) {
        let gone = self.child.kill().and_then(|()| self.child.wait());
        if gone.is_err() || std::thread::panicking() {
            let log = self.log();
            let end: Vec<&str> = log.lines().rev().take(30).collect();
            eprintln_end(&end);
        }
    }
}

#[allow(clippy::print_stderr, reason = "the host's last words help whoever reads a failed test")]
fn eprintln_end(lines: &[&str]) {
    lines.iter().rev().for_each(|line| eprintln!("host: {line}"));
}
