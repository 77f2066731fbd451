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
    let valgrind = |options: &[&str], cases: &[&str]| {
        let mut command = Command::new("valgrind");
        command.arg("--quiet").args(options).arg(&program).arg("run-cases");
        command.arg(modules).arg(folder.path().join("cache")).args(cases);
        // What mimalloc gives back to the system would follow the clock.
        command.env("MIMALLOC_PURGE_DELAY", "-1").env_remove("RUST_LOG");
        let said = command.output().context("valgrind cannot be started")?;
        ensure!(said.status.success(), "{command:?} failed:\n{}", words(&said));
        anyhow::Ok(())
    };
    let names = case::CASES.map(|case| case.name);
    // The modules are compiled for the processor that valgrind shows, by the tool that is quick at it.
    valgrind(&["--tool=none", "--trace-children=yes"], &names)?;
    let out = folder.path().join("counts");
    let toggle = format!("--toggle-collect=*{}*", case::COUNTED);
    let file = format!("--callgrind-out-file={}", out.display());
    let mut counts = BTreeMap::new();
    for name in names {
        valgrind(&["--tool=callgrind", &toggle, &file], &[name])?;
        let dump = fs::read_to_string(&out).with_context(|| out.display().to_string())?;
        let total =
            total(&dump).filter(|total| *total > 0).with_context(|| format!("nothing was counted of {name:?}"))?;
        counts.insert(name.to_owned(), total as f64 / f64::from(case::UNITS_COUNTED));
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
