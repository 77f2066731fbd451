//! An example of guest-examples as its README has it: its own pipeline file, with variables.

use std::path::PathBuf;

use crate::{guest, root, unique};

/// The pipeline file of an example and its module, in a folder of a test's own. A host that runs it reads from a group
/// that no other test has.
pub struct Example {
    /// Of the pipeline.
    pub name: String,
    pub file: PathBuf,
    variables: Vec<(String, String)>,
    _folder: tempfile::TempDir,
}

impl Example {
    pub fn new(example: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (name, file) = (unique(example), folder.path().join("pipeline.yaml"));
        std::fs::copy(guest(example), folder.path().join(format!("{example}.wasm"))).expect("the module");
        let text = std::fs::read_to_string(root().join("guest-examples").join(example).join("pipeline.yaml"));
        std::fs::write(&file, text.expect("a pipeline file")).expect("written");
        let one = Self { name: name.clone(), file, variables: Vec::new(), _folder: folder };
        one.replace(&format!("pipeline: {example}"), &format!("pipeline: {name}"))
    }

    /// Changes the file, as its reader would.
    #[must_use]
    #[track_caller]
    pub fn replace(self, from: &str, to: &str) -> Self {
        let text = std::fs::read_to_string(&self.file).expect("a pipeline file");
        assert!(text.contains(from), "{from} does not stand in {text}");
        std::fs::write(&self.file, text.replace(from, to)).expect("written");
        self
    }

    /// Sets a variable of the file.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    pub fn variables(&self) -> &[(String, String)] {
        &self.variables
    }

    /// A host that runs it.
    pub fn run(&self) -> crate::Host {
        crate::Host::run(std::slice::from_ref(&self.file), &self.variables)
    }

    /// The last words of a host that does not start with it.
    #[track_caller]
    pub fn refused(&self) -> String {
        let (code, said) = crate::Host::refused(std::slice::from_ref(&self.file), &self.variables);
        assert!(code > 0, "it starts: {said}");
        said
    }
}
