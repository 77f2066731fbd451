//! Versions: 63-bit numbers that grow with each change of one key, whatever order the changes arrive in.
//!
//! Two layouts, most significant bits first; the lowest bit of both is 0:
//!
//! | layout | bits |
//! |---|---|
//! | position in the binlog | number of the file: 20, offset / 32: 27, row within the transaction or event: 15 |
//! | time and Kafka offset | seconds since 1970: 32, offset of the record: 20 (its lowest), row in the message: 10 |
//!
//! The first is exact, and replays by the writer do not disturb it. Binlog events that hold rows are longer than 32
//! bytes, so two of them never share offset / 32; rows of one event share their offset, and `INSERT ... ON DUPLICATE
//! KEY UPDATE` can touch one key twice in one event, hence the row. Maxwell writes the offset with
//! `output_binlog_position` and the row with `output_xoffset`: turn both on. A transaction of more than 32,767 rows
//! counts them round.
//!
//! The second is for canal and for Maxwell without positions, which tell nothing better: among changes of one second
//! the later record wins, and a statement that ran for seconds counts by its begin. `id` of canal and `xid` of MySQL
//! begin anew at a restart, so neither would do.
//!
//! The two never mix for one index or cache: whoever turns positions on later, or moves to another database server
//! whose binlog files are numbered from 1, begins a new index. Rows of Maxwell's bootstrap have version 0: they fill
//! gaps and never replace a change.

/// Largest number of a binlog file that a version can hold.
pub const MAX_FILE: u64 = (1 << 20) - 1;

const ROW: u64 = (1 << 15) - 1;

/// Version of a row at a position in the binlog. `None` if the number of the file is beyond [`MAX_FILE`], or the
/// offset beyond 32 bits.
pub fn of_binlog(file: u64, offset: u64, row: u64) -> Option<u64> {
    let fits = file <= MAX_FILE && offset <= u64::from(u32::MAX);
    fits.then_some(file << 43 | (offset / 32) << 16 | (row & ROW) << 1)
}

/// Version of the last row of a transaction, which Maxwell does not number.
pub fn of_last(file: u64, offset: u64) -> Option<u64> {
    of_binlog(file, offset, ROW)
}

/// Version of a row by the time of its change in milliseconds (times before 1970 count as 0), the record's offset and
/// the row's number within the record.
pub fn of_time(time: i64, offset: u64, row: u64) -> u64 {
    let seconds = u64::try_from(time / 1000).unwrap_or(0).min(u64::from(u32::MAX));
    seconds << 31 | (offset & 0xF_FFFF) << 11 | (row & 0x3FF) << 1
}

/// The number at the end of a binlog file's name: 6 of `mysql-bin.000006`.
pub fn file_number(name: &str) -> Option<u64> {
    name.rsplit_once('.')?.1.parse().ok()
}
