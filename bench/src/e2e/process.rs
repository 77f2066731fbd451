//! A measured process, as Linux sees it.

use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

/// How long a process may take to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(10);

/// A peer at work; killed when dropped.
pub(crate) struct Process {
    child: Child,
    name: String,
}

impl Process {
    /// # Errors
    /// There is no such program, or no log can be written.
    pub(crate) fn start(name: &str, mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let out = File::create(log).with_context(|| format!("{} cannot be written", log.display()))?;
        let child = command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out).spawn();
        let child = child.with_context(|| format!("{name} cannot be started: {command:?}"))?;
        Ok(Self { child, name: name.to_owned() })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// # Errors
    /// It has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("{} ended: {status}", self.name),
            None => Ok(()),
        }
    }

    /// Asks it to end, and waits; kills it if it takes too long.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub(crate) fn end(mut self) -> anyhow::Result<()> {
        let asked = Command::new("kill").arg(self.pid().to_string()).status()?;
        let deadline = Instant::now() + PATIENCE;
        while asked.success() && self.child.try_wait()?.is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            self.child.wait().ok();
        }
    }
}

/// CPU time of a process, user and system, all its threads, in seconds. Of children that were waited for: not.
///
/// # Errors
/// There is no such process.
pub(crate) fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("process {pid} is gone"))?;
    ticks(&text).map(|ticks| ticks as f64 / 100.0).context("/proc/PID/stat is not as it was")
}

/// Fields 14 and 15 (proc(5)), in ticks, of which a second has a hundred on every Linux of today. The name before them
/// may hold anything but ends with the last parenthesis.
fn ticks(text: &str) -> Option<u64> {
    let (_, fields) = text.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// Most resident memory so far, in MiB.
///
/// # Errors
/// There is no such process.
pub(crate) fn peak_mib(pid: u32) -> anyhow::Result<f64> {
    memory_mib(pid, "VmHWM:")
}

/// Resident memory now, in MiB.
///
/// # Errors
/// There is no such process.
pub(crate) fn resident_mib(pid: u32) -> anyhow::Result<f64> {
    memory_mib(pid, "VmRSS:")
}

fn memory_mib(pid: u32, name: &str) -> anyhow::Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).with_context(|| format!("process {pid} is gone"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    Ok(kib.with_context(|| format!("no {name}"))? / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_whatever_the_process_is_called() {
        let text = "1 (a ) b (c)) S 0 1 1 0 -1 4194560 9 8 7 6 250 50 3 4 20 0 1 0 9 0 0";
        assert_eq!(ticks(text), Some(300));
        let mine = std::process::id();
        assert!(cpu_seconds(mine).expect("seconds") >= 0.0 && peak_mib(mine).expect("memory") > 0.5);
    }
}
