//! `docs/conformance.md`: generated, and compared with what is checked in.

use std::{fmt::Write as _, fs, path::Path};

use wasmill::engine::World;

use super::{Column, Guest, case::Case};

const HEAD: &str = "# Conformance

Every language answers alike: a suite of golden batches (`tests/conformance/cases`) runs through one guest per language \
                    and world, and every field of every record that comes out is compared. This page is written by \
                    the test that compares (`cargo test --release --workspace --test conformance`); a case that differs, or a \
                    guest that is not built, fails it.

The columns of the world `transform-records` say `records`; a dash: the case is not for this world.
";

pub fn render(guests: &[Guest], cases: &[Case], columns: &[Column]) -> String {
    let mut page = HEAD.to_owned();
    let names: Vec<String> = guests
        .iter()
        .map(|guest| match guest.world {
            World::Columns => guest.language.to_owned(),
            World::Records => format!("{}, records", guest.language),
        })
        .collect();
    write!(page, "\n| case | shows | {} |\n|---|---|{}\n", names.join(" | "), "---|".repeat(names.len()))
        .expect("written");
    for (row, case) in cases.iter().enumerate() {
        let cells = columns.iter().map(|column| match column[row] {
            Some(true) => "yes",
            Some(false) => "no",
            None => "-",
        });
        let cells: Vec<&str> = cells.collect();
        writeln!(page, "| `{}` | {} | {} |", case.name, case.about.replace('|', "\\|"), cells.join(" | "))
            .expect("written");
    }
    let exceptions = cases.iter().flat_map(|case| case.except.iter().map(move |except| (case, except)));
    for (index, (case, (guest, reason))) in exceptions.enumerate() {
        let gap = if index == 0 { "\n" } else { "" };
        writeln!(page, "{gap}- `{}`, `{guest}`: {reason}.", case.name).expect("written");
    }
    page
}

/// `UPDATE_GOLDEN=1` writes the page anew.
pub fn golden(file: &Path, page: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(file, page).expect("written");
        return;
    }
    let there = fs::read_to_string(file).unwrap_or_default();
    assert!(there == page, "{} is not what came out: `just golden` writes it anew", file.display());
}
