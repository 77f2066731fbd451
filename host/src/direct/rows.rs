//! Rows of fetched batches, in the memory in which they came.

use bytes::Bytes;

use super::{fetch::Chunk, records::Row};
use crate::batch::Rows;

/// Chunks of one partition, of which rows are taken from the front.
#[derive(Debug, Default)]
pub struct Remainder {
    chunks: std::collections::VecDeque<Chunk>,
    /// Rows taken of the first.
    taken: usize,
    rows: usize,
    bytes: usize,
}

impl Remainder {
    /// To be called with chunks in offset order.
    pub fn push(&mut self, chunk: Chunk) {
        self.rows += chunk.rows.len();
        self.bytes += chunk.rows.iter().map(Row::bytes).sum::<usize>();
        self.chunks.push_back(chunk);
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Of keys and values.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes up to `records` rows with up to `bytes` bytes, but at least one where there is one; answers their bytes, too.
    pub fn take(&mut self, records: usize, bytes: usize) -> (ChunkRows, usize) {
        let mut taken = ChunkRows { rows: Vec::with_capacity(records.min(self.rows)), pieces: Vec::new() };
        let mut sum = 0;
        while let Some(chunk) = self.chunks.front() {
            let piece = taken.pieces.len() as u32;
            let fitting = chunk.rows[self.taken..].iter().take(records - taken.rows.len()).take_while(|row| {
                let fits = sum + row.bytes() <= bytes || sum == 0;
                sum += if fits { row.bytes() } else { 0 };
                fits
            });
            let before = taken.rows.len();
            taken.rows.extend(fitting.map(|row| row.of_piece(piece)));
            let count = taken.rows.len() - before;
            if count > 0 {
                taken.pieces.push(chunk.data.clone());
            }
            self.taken += count;
            if self.taken < chunk.rows.len() {
                break;
            }
            self.chunks.pop_front();
            self.taken = 0;
        }
        self.rows -= taken.rows.len();
        self.bytes -= sum;
        (taken, sum)
    }
}

/// Rows of one batch; they hold the memory that they lie in.
#[derive(Debug)]
pub struct ChunkRows {
    rows: Vec<Row>,
    /// Fetched memory, by `Row::piece`.
    pieces: Vec<Bytes>,
}

impl ChunkRows {
    #[inline]
    fn data(&self, row: &Row) -> &[u8] {
        &self.pieces[row.piece as usize]
    }
}

impl Rows for ChunkRows {
    fn len(&self) -> usize {
        self.rows.len()
    }

    #[inline]
    fn offset(&self, row: usize) -> i64 {
        self.rows[row].offset
    }

    #[inline]
    fn timestamp(&self, row: usize) -> i64 {
        self.rows[row].timestamp
    }

    #[inline]
    fn key(&self, row: usize) -> Option<&[u8]> {
        let row = &self.rows[row];
        row.key(self.data(row))
    }

    #[inline]
    fn value(&self, row: usize) -> Option<&[u8]> {
        let row = &self.rows[row];
        row.value(self.data(row))
    }

    #[inline]
    fn headers(&self, row: usize, visit: &mut dyn FnMut(&[u8], Option<&[u8]>)) {
        let row = &self.rows[row];
        row.headers(self.data(row), visit);
    }
}
