pub mod batch;
pub mod columns;
pub mod limits;
pub mod output;
pub mod sink;
