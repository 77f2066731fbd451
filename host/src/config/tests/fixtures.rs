//! Every fixture, and texts that no fixture would hold.

use proptest::prelude::*;

use super::*;

#[test]
fn valid_files_load_with_their_warnings() {
    for path in yaml_files("valid") {
        let loaded = load_valid(path.file_name().unwrap().to_str().unwrap());
        let expected = path.with_extension("txt");
        if expected.exists() || !loaded.warnings.is_empty() {
            golden(&expected, &lines(&loaded.warnings));
        }
    }
}

#[test]
fn invalid_files_are_reported_whole() {
    for path in yaml_files("invalid") {
        let text = fs::read_to_string(&path).unwrap();
        let origin = path.file_name().unwrap().to_str().unwrap();
        let error = load(&text, origin, Path::new(BASE), &Vars::new()).expect_err(origin);
        golden(&path.with_extension("txt"), &format!("{}\n", error.report()));
        let lines = text.lines().count().max(1) as u64;
        for problem in error.problems() {
            assert!((1..=lines + 1).contains(&problem.line), "{origin}: {problem:?}");
        }
    }
}

#[test]
fn a_file_of_gigabytes_or_aliases_is_refused() {
    let long = format!("pipeline: {}", "x".repeat(1 << 20));
    assert!(load_text(&long).unwrap_err().to_string().contains("more than 1048576"));
    let bomb =
        (0..24).fold("a0: &a0 [x]\n".to_owned(), |text, n| text + &format!("a{0}: &a{0} [*a{n}, *a{n}]\n", n + 1));
    assert!(load_text(&bomb).is_err());
    let deep = format!("pipeline: {}x{}", "[".repeat(5000), "]".repeat(5000));
    assert!(load_text(&deep).is_err());
}

#[test]
fn a_byte_order_mark_moves_nothing() {
    let error = load_text("\u{feff}pipeline: [x]\n").unwrap_err();
    let name = error.problems().iter().find(|problem| problem.path == "pipeline").unwrap();
    assert_eq!((name.line, name.column), (1, 11));
}

proptest! {
    /// People save half-written files: every cut and every stray character gets an answer, and a report if it is no.
    #[test]
    fn any_damage_is_answered(cut in 0usize..2000, len in 0usize..40, stray in "[\\PC\\n]{0,3}") {
        let mut text = fs::read_to_string(fixtures("valid").join("design.yaml")).unwrap();
        let at = |wanted: usize| (0..=wanted.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
        let range = at(cut)..at(cut + len);
        text.replace_range(range, &stray);
        if let Err(error) = load_text(&text) {
            prop_assert!(!error.problems().is_empty());
            prop_assert!(!error.report().is_empty());
        }
    }
}
