//! A running pipeline.
mod ledger;
