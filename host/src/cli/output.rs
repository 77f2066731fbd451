//! How verbs fail and print: for people a line what and a line what to do, for machines JSON.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing is what this is for")]

use std::process::ExitCode;

use comfy_table::{Table, presets};

/// Why a verb did not do what it was asked for.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    pub(super) message: String,
    /// A rendered report that says more than the message.
    pub(super) report: Option<String>,
    /// The host's own answer, for machines.
    pub(super) problem: Option<serde_json::Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Failed = 1,
    Usage = 2,
    Unreachable = 3,
    NotFound = 4,
    Refused = 5,
}

impl Failure {
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), report: None, problem: None }
    }

    pub(super) fn failed(error: impl std::fmt::Display) -> Self {
        Self::new(Kind::Failed, error.to_string())
    }
}

pub(super) fn report(failure: &Failure, json: bool) -> ExitCode {
    if json {
        let problem = failure.problem.clone().unwrap_or_else(|| serde_json::json!({ "detail": failure.message }));
        println!("{problem}");
    } else if let Some(report) = &failure.report {
        eprintln!("{report}");
    } else {
        eprintln!("wasmill: {}", failure.message);
    }
    ExitCode::from(failure.kind as u8)
}

/// One JSON document on one line.
pub(super) fn json(value: &impl serde::Serialize) -> Result<(), Failure> {
    println!("{}", serde_json::to_string(value).map_err(Failure::failed)?);
    Ok(())
}

pub(super) fn line(text: impl std::fmt::Display) {
    println!("{text}");
}

/// A line beside the answer.
pub(super) fn note(text: impl std::fmt::Display) {
    eprintln!("{text}");
}

pub(super) fn table(header: &[&str], rows: Vec<Vec<String>>) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    rows.into_iter().for_each(|row| {
        table.add_row(row);
    });
    println!("{}", table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n"));
}
