//! The costs of languages: blocks of the pages in docs/languages, between two marks, made of the youngest results.
//!
//! ```text
//! <!-- cost: js, ts -->      the languages of this table; `all` of them
//! ...
//! <!-- cost ends -->
//! ```

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::{Saved, markdown, origin, read, youngest};
use crate::{languages::Languages, report::Report as _};

const BEGIN: &str = "<!-- cost: ";
const END: &str = "<!-- cost ends -->";

/// The pages of a folder that have such blocks, and what they ought to be. None where nothing was measured yet.
pub(super) fn pages(folder: &Path, results: &Path) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let Some(file) = youngest(results, "languages")?.remove("languages") else { return Ok(vec![]) };
    let mut pages = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_none_or(|kind| kind != "md") {
            continue;
        }
        let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        if text.contains(BEGIN) {
            let filled = fill(&text, &|languages| block(&file, languages))?;
            pages.push((path, filled));
        }
    }
    Ok(pages)
}

/// Puts into each block of a text what `block` answers for its languages.
fn fill(text: &str, block: &dyn Fn(&[&str]) -> anyhow::Result<String>) -> anyhow::Result<String> {
    let (mut filled, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (names, after) = after.split_once(" -->").context("a block of costs names no languages")?;
        let (_, after) = after.split_once(END).with_context(|| format!("the block of costs of {names} has no end"))?;
        let languages: Vec<&str> = names.split(',').map(str::trim).collect();
        filled.push_str(&format!("{before}{BEGIN}{names} -->\n{}\n{END}", block(&languages)?));
        rest = after;
    }
    Ok(filled + rest)
}

fn block(file: &Path, languages: &[&str]) -> anyhow::Result<String> {
    let mut saved: Saved<Languages> = read(file)?;
    if languages != ["all"] {
        saved.report = saved.report.only(languages);
    }
    let (table, remarks) = (markdown(&saved.report.rows()), saved.report.remarks().join(" "));
    Ok(format!("{table}\n\n{remarks} {}", origin(&saved, file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_filled_and_the_rest_stays() {
        let text = "a\n<!-- cost: js, ts -->\nold\n<!-- cost ends -->\nb\n<!-- cost: all --><!-- cost ends -->";
        let filled = fill(text, &|languages| Ok(languages.join("+"))).expect("filled");
        assert_eq!(
            filled,
            "a\n<!-- cost: js, ts -->\njs+ts\n<!-- cost ends -->\nb\n<!-- cost: all -->\nall\n<!-- cost ends -->"
        );
        assert!(fill("<!-- cost: js -->", &|_| Ok(String::new())).is_err());
    }

    /// No figure on the pages was typed.
    #[test]
    fn the_pages_of_languages_show_what_was_measured() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for (path, filled) in pages(&root.join("docs/languages"), &root.join("bench/results")).expect("pages") {
            let there = fs::read_to_string(&path).expect("a page");
            assert!(there == filled, "{}: `wasmill-bench page` writes it anew", path.display());
        }
    }
}
