//! `${VAR}`, `${VAR:-default}` and `${file:/path}` inside the values of a pipeline file.
//!
//! They are put in after the YAML was parsed, value by value, so what a variable holds can never become a key, a list
//! or another variable.

use std::{fs::File, io::Read, path::Path};

/// The longest file that a `${file:...}` may name: keys and certificates are far shorter, and nobody means a log.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// Answers the variables of a pipeline file. Whoever calls the loader decides what a file may ask for: the command
/// line gives its own environment, the admin API need not.
pub trait Resolve {
    /// The value of a variable; `None` if it is not set.
    ///
    /// # Errors
    ///
    /// A reason for people, without the value, why it must not or cannot be had.
    fn variable(&self, name: &str) -> Result<Option<String>, String>;

    /// What the file holds. One newline at its end is trimmed by the caller.
    ///
    /// # Errors
    ///
    /// A reason for people why it must not or cannot be read.
    fn file(&self, path: &Path) -> Result<String, String>;
}

/// The environment of this process and the files it may read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Environment;

impl Resolve for Environment {
    fn variable(&self, name: &str) -> Result<Option<String>, String> {
        match std::env::var(name) {
            Ok(value) => Ok(Some(value)),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => Err("it is not UTF-8".to_owned()),
        }
    }

    fn file(&self, path: &Path) -> Result<String, String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let mut text = String::new();
        // One byte more than allowed tells a file that fits from one that was cut.
        file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(format!("it is longer than {FILE_BYTES_MAX} bytes"));
        }
        Ok(text)
    }
}

/// Refuses every variable: for texts that come from outside.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoVariables;

const REFUSED: &str = "variables are not allowed here";

impl Resolve for NoVariables {
    fn variable(&self, _name: &str) -> Result<Option<String>, String> {
        Err(REFUSED.to_owned())
    }

    fn file(&self, _path: &Path) -> Result<String, String> {
        Err(REFUSED.to_owned())
    }
}

/// Why a variable could not be put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadVariable {
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// A value with its variables put in.
pub(super) struct Expanded {
    pub(super) text: String,
    /// Whether a variable was put in, even an empty one or its default.
    pub(super) variable: bool,
    pub(super) bad: Vec<BadVariable>,
}

pub(super) fn expand(raw: &str, base: &Path, vars: &dyn Resolve) -> Expanded {
    let mut expanded = Expanded { text: String::with_capacity(raw.len()), variable: false, bad: Vec::new() };
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            expanded.text.push_str(before);
            expanded.text.push_str("${");
            rest = after;
            continue;
        }
        expanded.text.push_str(before);
        let Some((reference, after)) = after.split_once('}') else {
            expanded.bad.push(BadVariable {
                message: "`${` has no closing `}`".to_owned(),
                help: Some("write `$${` where the text itself is meant".to_owned()),
            });
            return expanded;
        };
        expanded.variable = true;
        match lookup(reference, base, vars) {
            Ok(value) => expanded.text.push_str(&value),
            Err(bad) => expanded.bad.push(bad),
        }
        rest = after;
    }
    expanded.text.push_str(rest);
    expanded
}

fn lookup(reference: &str, base: &Path, vars: &dyn Resolve) -> Result<String, BadVariable> {
    if let Some(path) = reference.strip_prefix("file:") {
        let text = vars.file(&base.join(path)).map_err(|reason| BadVariable {
            message: format!("cannot read the file `{path}`: {reason}"),
            help: None,
        })?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        return Ok(text.strip_suffix('\r').unwrap_or(text).to_owned());
    }
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    if !is_variable_name(name) || default.is_some_and(|default| default.contains("${")) {
        return Err(BadVariable {
            message: format!("`{name}` is not a name of a variable"),
            help: Some("write `${NAME}`, `${NAME:-default}` or `${file:/path}`".to_owned()),
        });
    }
    let value = vars.variable(name).map_err(|reason| BadVariable {
        message: format!("cannot read the variable `{name}`: {reason}"),
        help: None,
    })?;
    match (value, default) {
        // As in a shell, `:-` also stands in for an empty value.
        (Some(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(BadVariable {
            message: format!("the variable `{name}` is not set"),
            help: Some(format!("set it, or give a default: `${{{name}:-default}}`")),
        }),
    }
}

fn is_variable_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first == b'_' || first.is_ascii_alphabetic())
        && bytes.all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `A` is set, `E` is empty.
    struct Two;

    impl Resolve for Two {
        fn variable(&self, name: &str) -> Result<Option<String>, String> {
            Ok(match name {
                "A" => Some("${E}".to_owned()),
                "E" => Some(String::new()),
                _ => None,
            })
        }

        fn file(&self, path: &Path) -> Result<String, String> {
            Ok(format!("{}\n\n", path.display()))
        }
    }

    #[test]
    fn references_are_replaced_once() {
        let table = [
            ("plain $A {A} $", "plain $A {A} $", false),
            ("<${A}>", "<${E}>", true),
            ("${A}${A}", "${E}${E}", true),
            ("$${A}", "${A}", false),
            ("$$${A}", "$${A}", false),
            ("${E}", "", true),
            ("${E:-d}${X:-}${X:-:-}", "d:-", true),
            ("${A:-d}", "${E}", true),
            ("${file:x}", "/base/x\n", true),
            ("${file:/x:-y}", "/x:-y\n", true),
        ];
        for (raw, expected, variable) in table {
            let expanded = expand(raw, Path::new("/base"), &Two);
            assert_eq!(
                (expanded.text.as_str(), expanded.variable, expanded.bad),
                (expected, variable, Vec::new()),
                "{raw}"
            );
        }
    }

    #[test]
    fn what_is_no_variable_is_an_error() {
        for raw in ["${", "${A", "${}", "${1A}", "${A-B}", "${A:d}", "${A:-${E}}", "${ A }", "${X}", "${file}"] {
            assert_eq!(expand(raw, Path::new("/base"), &Two).bad.len(), 1, "{raw}");
        }
    }

    #[test]
    fn files_are_read_up_to_their_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, vec![b'x'; FILE_BYTES_MAX as usize]).unwrap();
        assert_eq!(Environment.file(&path).unwrap().len() as u64, FILE_BYTES_MAX);
        std::fs::write(&path, vec![b'x'; FILE_BYTES_MAX as usize + 1]).unwrap();
        assert_eq!(Environment.file(&path).unwrap_err(), "it is longer than 65536 bytes");
        assert!(Environment.file(&folder.path().join("none")).is_err());
        assert_eq!(Environment.variable("WASMILL_TEST_OF_AN_UNSET_VARIABLE"), Ok(None));
    }
}
