//! Runs this program under valgrind, and reads what callgrind wrote.

use std::{
    collections::BTreeMap,
    env, fs,
    path::Path,
    process::{Command, Output},
};

use anyhow::{Context as _, ensure};

use super::case;

/// Why counts of this machine could not be compared with those of others.
pub(super) fn unfit() -> Option<String> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        return None;
    }
    Some("it is for x86-64 with AVX2, which valgrind shows to programs as one and the same processor".into())
}

/// What makes the code that is counted, and who counts.
///
/// # Errors
/// One of them cannot be asked.
pub(super) fn tools() -> anyhow::Result<String> {
    let ask = |program: &str, argument: &str| {
        let said = Command::new(program).arg(argument).output().with_context(|| {
            format!("{program} cannot be started: scripts/valgrind.sh installs what is missing on Debian, as root")
        })?;
        let line = String::from_utf8_lossy(&said.stdout).lines().next().unwrap_or_default().trim().to_owned();
        anyhow::Ok(line)
    };
    let (cc, libc) = (ask("cc", "--version")?, ask("getconf", "GNU_LIBC_VERSION")?);
    Ok([env!("BENCH_RUSTC"), &cc, &libc, &ask("valgrind", "--version")?].join(", "))
}

/// Instructions by case.
///
/// # Errors
/// Valgrind is missing or fails, or a case does.
pub(super) fn count(modules: &Path) -> anyhow::Result<BTreeMap<String, f64>> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let program = env::current_exe().context("no path of this program")?;
    let valgrind = |options: &[&str]| {
        let mut command = Command::new("valgrind");
        command.args(options).arg(&program).arg("run-cases").arg(modules).arg(folder.path().join("cache"));
        // What mimalloc gives back to the system would follow the clock.
        command.env("MIMALLOC_PURGE_DELAY", "-1").env_remove("RUST_LOG");
        let said = command.output().context("valgrind cannot be started")?;
        ensure!(said.status.success(), "{command:?} failed:\n{}", words(&said));
        anyhow::Ok(())
    };
    // The modules are compiled for the processor that valgrind shows, by the tool that is quick at it.
    valgrind(&["--tool=none", "--trace-children=yes", "--quiet"])?;
    let out = folder.path().join("counts");
    let function = format!("*{}*", case::COUNTED);
    valgrind(&[
        "--tool=callgrind",
        "--quiet",
        &format!("--toggle-collect={function}"),
        &format!("--dump-after={function}"),
        &format!("--callgrind-out-file={}", out.display()),
    ])?;
    let mut counts = BTreeMap::new();
    for (index, case) in case::CASES.iter().enumerate() {
        let path = out.with_extension((index + 1).to_string());
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let total = total(&text).with_context(|| format!("{} holds no sum", path.display()))?;
        ensure!(total > 0, "nothing was counted of {:?}", case.name);
        counts.insert(case.name.to_owned(), total as f64 / case.units() as f64);
    }
    Ok(counts)
}

/// Instructions of one dump.
fn total(dump: &str) -> Option<u64> {
    dump.lines().find_map(|line| line.strip_prefix("totals: "))?.split(' ').next()?.parse().ok()
}

fn words(said: &Output) -> String {
    let both = [&said.stdout, &said.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    both.concat()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_sum_of_a_dump_is_found() {
        let dump = "version: 1\npart: 1\n\nevents: Ir\nfn=(1) x\n3 4\n\ntotals: 1234\n";
        assert_eq!(super::total(dump), Some(1234));
        assert_eq!(super::total("events: Ir\n"), None);
    }
}
