//! What a project is made of, and when it changes.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, bounded};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::super::super::output::Failure;
use crate::engine::Digest;

/// Folders that tools fill: of no interest, and large.
const FOLDERS: [&str; 8] = ["target", "node_modules", "build", "dist", "__pycache__", "venv", "vendor", "wasmill-data"];

/// Files that builds write.
const FILES: [&str; 4] = ["Cargo.lock", "package-lock.json", "go.sum", "uv.lock"];

/// Ends of files that builds and editors write.
const ENDS: [&str; 6] = [".wasm", "~", ".swp", ".swx", ".tmp", ".pyc"];

/// Events that wait while a build runs.
const EVENTS: usize = 1024;

/// Whether a path in a project (relative to it) is written by people.
pub(super) fn is_source(path: &Path) -> bool {
    let names: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    let Some((file, folders)) = names.split_last() else { return false };
    let hidden = names.iter().any(|name| name.starts_with('.'));
    let of_tools = folders.iter().any(|folder| FOLDERS.contains(&folder.as_ref()));
    let written = FILES.contains(&file.as_ref()) || ENDS.iter().any(|end| file.ends_with(end));
    !hidden && !of_tools && !written
}

/// The sources of a project, by what is in them.
#[derive(Default)]
pub(super) struct Files {
    files: BTreeMap<PathBuf, Digest>,
}

impl Files {
    pub(super) fn of(project: &Path) -> Self {
        let mut files = BTreeMap::new();
        let mut open = vec![project.to_path_buf()];
        while let Some(folder) = open.pop() {
            // A folder or file that goes away while it is looked at is not there.
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                let Ok(name) = path.strip_prefix(project) else { continue };
                // A folder is looked at where a file in it would be a source.
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    if is_source(&name.join("file")) {
                        open.push(path);
                    }
                } else if is_source(name)
                    && let Ok(bytes) = fs::read(&path)
                {
                    files.insert(name.to_owned(), Digest::of(&bytes));
                }
            }
        }
        Self { files }
    }

    /// The files that are not as they were.
    pub(super) fn changed<'f>(&'f self, before: &'f Self) -> Vec<&'f Path> {
        let new = self.files.iter().filter(|(path, digest)| before.files.get(*path) != Some(*digest));
        let gone = before.files.iter().filter(|(path, _)| !self.files.contains_key(*path));
        new.chain(gone).map(|(path, _)| path.as_path()).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Something in the project may have changed.
    Change,
    /// The user wants no more.
    End,
}

/// Watches as long as it lives.
pub(super) struct Watch {
    _watcher: RecommendedWatcher,
}

impl Watch {
    pub(super) fn start(project: &Path) -> Result<(Self, Receiver<Event>), Failure> {
        let (to, events) = bounded(EVENTS);
        on_interrupt(to.clone())?;
        let root = project.to_path_buf();
        let heard = move |event: notify::Result<notify::Event>| {
            // An overrun of the queue comes as an error: then anything may have changed.
            let change = event.map_or(true, |event| {
                let source = |path: &PathBuf| path.strip_prefix(&root).is_ok_and(is_source);
                !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(source)
            });
            if change {
                // Either changes wait already, and one more says nothing new, or the program is about to end.
                to.try_send(Event::Change).ok();
            }
        };
        let cannot = |error: notify::Error| Failure::failed(format!("the project cannot be watched: {error}"));
        let mut watcher = notify::recommended_watcher(heard).map_err(cannot)?;
        watcher.watch(project, RecursiveMode::Recursive).map_err(cannot)?;
        Ok((Self { _watcher: watcher }, events))
    }
}

fn on_interrupt(to: Sender<Event>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::failed)?;
    let wait = move || {
        if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            to.send(Event::End).ok();
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(wait).map(drop).map_err(Failure::failed)
}

/// Waits for a change, and until nothing more changed for a while: what comes at once is one change.
pub(super) fn next_change(events: &Receiver<Event>, quiet: Duration) -> Event {
    let Ok(Event::Change) = events.recv() else { return Event::End };
    loop {
        match events.recv_timeout(quiet) {
            Ok(Event::Change) => {}
            Ok(Event::End) => return Event::End,
            Err(_) => return Event::Change,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_told_from_what_tools_write() {
        for path in
            ["src/lib.rs", "tests/first.in.ndjson", "pipeline.yaml", "go.mod", "module.c", "wasmill-sdk/src/a.rs"]
        {
            assert!(is_source(Path::new(path)), "{path}");
        }
        for path in [
            "target/release/x",
            "a.wasm",
            "node_modules/x/y.js",
            ".git/HEAD",
            "src/.lib.rs.swp",
            "src/lib.rs~",
            "Cargo.lock",
            "",
        ] {
            assert!(!is_source(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn only_another_content_is_a_change() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("written");
        };
        ["src/a.rs", "src/b.rs", "target/x"].iter().for_each(|name| write(name, "1"));
        let before = Files::of(folder.path());
        ["src/a.rs", "target/x", "a.wasm"].iter().for_each(|name| write(name, "1"));
        write("target/x", "2");
        assert_eq!(Files::of(folder.path()).changed(&before), Vec::<&Path>::new());
        write("src/a.rs", "2");
        write("new.txt", "1");
        fs::remove_file(folder.path().join("src/b.rs")).expect("removed");
        let names = ["new.txt", "src/a.rs", "src/b.rs"].map(Path::new);
        assert_eq!(Files::of(folder.path()).changed(&before), names);
    }

    #[test]
    fn changes_that_come_together_are_one() {
        let (to, events) = bounded(EVENTS);
        (0..100).for_each(|_| to.send(Event::Change).expect("sent"));
        drop(to);
        // Without a sender the quiet is there at once, however long it is to last.
        let long = Duration::from_secs(3600);
        assert_eq!([next_change(&events, long), next_change(&events, long)], [Event::Change, Event::End]);
    }

    #[test]
    fn an_interrupt_ends_also_in_the_middle_of_changes() {
        let (to, events) = bounded(EVENTS);
        [Event::Change, Event::Change, Event::End].iter().for_each(|event| to.send(*event).expect("sent"));
        assert_eq!(next_change(&events, Duration::from_secs(3600)), Event::End);
    }
}
