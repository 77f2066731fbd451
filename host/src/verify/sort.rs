//! Sorts more than memory holds: what has no room is written to an unnamed file as sorted runs, and merged from there.
//!
//! Memory is what the caller gives, whatever comes: a run is as long as the memory, and the buffers of a merge share it.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::File,
    io::{self, Write as _},
    marker::PhantomData,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    vec,
};

/// Bytes of a write.
const WRITE: usize = 1 << 20;

/// Bytes of a read of a merge, at most.
const READ_MAX: usize = 1 << 20;

/// What is sorted: written in so many bytes.
pub(super) trait Fixed: Copy + Ord {
    const SIZE: usize;

    /// Appends [`Self::SIZE`] bytes.
    fn write(&self, to: &mut Vec<u8>);

    /// Reads what [`Self::write`] wrote.
    fn read(from: &[u8]) -> Self;
}

/// Takes items in any order.
pub(super) struct Sorter<T> {
    buffer: Vec<T>,
    room: usize,
    folder: PathBuf,
    spilled: Option<Spilled>,
}

/// Runs in a file that is gone when it is closed, also by a kill.
struct Spilled {
    file: File,
    end: u64,
    /// Begin and end of each, in bytes.
    runs: Vec<(u64, u64)>,
}

impl<T: Fixed> Sorter<T> {
    /// A sorter that holds so many bytes in memory, and at least one item.
    pub(super) fn new(memory: usize, folder: &Path) -> Self {
        let room = (memory / size_of::<T>()).max(1);
        Self { buffer: Vec::new(), room, folder: folder.into(), spilled: None }
    }

    /// # Errors
    /// The file cannot be written.
    pub(super) fn push(&mut self, item: T) -> io::Result<()> {
        if self.buffer.len() == self.room {
            self.spill()?;
        }
        if self.buffer.capacity() == 0 {
            // At once: growing would hold old and new for a while. What is not used yet takes no memory.
            self.buffer.reserve_exact(self.room);
        }
        self.buffer.push(item);
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let spilled = match &mut self.spilled {
            Some(spilled) => spilled,
            None => {
                let file = tempfile::tempfile_in(&self.folder)?;
                self.spilled.insert(Spilled { file, end: 0, runs: Vec::new() })
            }
        };
        self.buffer.sort_unstable();
        let begin = spilled.end;
        let mut bytes = Vec::with_capacity(WRITE + T::SIZE);
        for item in self.buffer.drain(..) {
            item.write(&mut bytes);
            if bytes.len() >= WRITE {
                spilled.file.write_all(&bytes)?;
                spilled.end += bytes.len() as u64;
                bytes.clear();
            }
        }
        spilled.file.write_all(&bytes)?;
        spilled.end += bytes.len() as u64;
        spilled.runs.push((begin, spilled.end));
        Ok(())
    }
}

/// The items of several sorters in one order.
pub(super) struct Sorted<T> {
    runs: Vec<Run<T>>,
    /// The next item of each run that has one.
    heads: BinaryHeap<Reverse<(T, usize)>>,
    failed: Option<io::Error>,
}

enum Run<T> {
    Memory(vec::IntoIter<T>),
    Disk(DiskRun<T>),
}

struct DiskRun<T> {
    file: Arc<File>,
    at: u64,
    end: u64,
    read: usize,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were taken.
    taken: usize,
    of: PhantomData<fn() -> T>,
}

impl<T: Fixed> Sorted<T> {
    /// Buffers of the merge share `memory`.
    ///
    /// # Errors
    /// A file cannot be written or read.
    pub(super) fn new(sorters: Vec<Sorter<T>>, memory: usize) -> io::Result<Self> {
        let mut runs = Vec::new();
        let on_disk = sorters.iter().filter_map(|sorter| sorter.spilled.as_ref());
        // What is left in memory becomes a run as well.
        let count = on_disk.map(|spilled| spilled.runs.len() + 1).sum::<usize>().max(1);
        let read = (memory / count).min(READ_MAX).max(T::SIZE) / T::SIZE * T::SIZE;
        for mut sorter in sorters {
            if sorter.spilled.is_some() {
                sorter.spill()?;
            }
            match sorter.spilled {
                None => {
                    sorter.buffer.sort_unstable();
                    runs.push(Run::Memory(sorter.buffer.into_iter()));
                }
                Some(Spilled { file, runs: places, .. }) => {
                    let file = Arc::new(file);
                    runs.extend(places.into_iter().map(|(at, end)| {
                        let (file, buffer) = (Arc::clone(&file), Vec::new());
                        Run::Disk(DiskRun { file, at, end, read, buffer, taken: 0, of: PhantomData })
                    }));
                }
            }
        }
        let mut sorted = Self { heads: BinaryHeap::with_capacity(runs.len()), runs, failed: None };
        (0..sorted.runs.len()).try_for_each(|run| sorted.refill(run))?;
        Ok(sorted)
    }

    fn refill(&mut self, run: usize) -> io::Result<()> {
        let next = match &mut self.runs[run] {
            Run::Memory(items) => items.next(),
            Run::Disk(run) => run.next()?,
        };
        self.heads.extend(next.map(|item| Reverse((item, run))));
        Ok(())
    }
}

impl<T: Fixed> DiskRun<T> {
    fn next(&mut self) -> io::Result<Option<T>> {
        if self.taken == self.buffer.len() {
            let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
            if left == 0 {
                return Ok(None);
            }
            self.buffer.resize(self.read.min(left), 0);
            self.file.read_exact_at(&mut self.buffer, self.at)?;
            self.at += self.buffer.len() as u64;
            self.taken = 0;
        }
        let item = T::read(&self.buffer[self.taken..]);
        self.taken += T::SIZE;
        Ok(Some(item))
    }
}

impl<T: Fixed> Iterator for Sorted<T> {
    type Item = io::Result<T>;

    fn next(&mut self) -> Option<io::Result<T>> {
        if let Some(error) = self.failed.take() {
            return Some(Err(error));
        }
        let Reverse((item, run)) = self.heads.pop()?;
        self.failed = self.refill(run).err();
        Some(Ok(item))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Fixed for u64 {
        const SIZE: usize = 8;

        fn write(&self, to: &mut Vec<u8>) {
            to.extend_from_slice(&self.to_le_bytes());
        }

        fn read(mut from: &[u8]) -> Self {
            Self::from_le_bytes(crate::verify::digest::take(&mut from))
        }
    }

    proptest! {
        /// Whatever the memory, from one item up: the order of a sorted vector.
        #[test]
        fn sorts_as_a_vector_does(
            one in proptest::collection::vec(0u64..500, 0..400),
            two in proptest::collection::vec(0u64..500, 0..400),
            memory in 0usize..2000,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let sorters = [&one, &two].map(|items| {
                let mut sorter = Sorter::new(memory, folder.path());
                items.iter().for_each(|item| sorter.push(*item).unwrap());
                sorter
            });
            let sorted = Sorted::new(Vec::from(sorters), memory).unwrap();
            let sorted: Vec<u64> = sorted.map(Result::unwrap).collect();
            let mut expected = [one, two].concat();
            expected.sort_unstable();
            prop_assert_eq!(sorted, expected);
            prop_assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "files have no name");
        }
    }

    #[test]
    fn memory_is_never_above_what_is_given() {
        let folder = tempfile::tempdir().unwrap();
        let memory = 64 << 10;
        let mut sorter = Sorter::new(memory, folder.path());
        for number in 0..1_000_000u64 {
            sorter.push(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).unwrap();
            assert!(sorter.buffer.capacity() * 8 <= memory);
        }
        let mut sorted = Sorted::new(vec![sorter], memory).unwrap();
        let (mut count, mut last) = (0, 0);
        while let Some(item) = sorted.next() {
            let item = item.unwrap();
            assert!(last <= item);
            (count, last) = (count + 1, item);
            if count % 10_000 == 0 {
                let buffers: usize = sorted
                    .runs
                    .iter()
                    .map(|run| match run {
                        Run::Memory(items) => items.len() * 8,
                        Run::Disk(run) => run.buffer.capacity(),
                    })
                    .sum();
                assert!(buffers <= memory, "{buffers}");
            }
        }
        assert_eq!(count, 1_000_000);
    }
}
