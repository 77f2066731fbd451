//! Makes a module live in a running pipeline, under a version that says that it is on its way: `VERSION-dev.N`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::super::{client::Client, output::Failure, remote::escape};
use crate::{
    control::{ModuleInfo, SwapRequest},
    engine::Module,
};

pub(super) struct Live<'l> {
    pipeline: &'l str,
    client: &'l Client,
}

impl<'l> Live<'l> {
    pub(super) fn new(pipeline: &'l str, client: &'l Client) -> Self {
        Self { pipeline, client }
    }

    /// Uploads the module, unless the host has these bytes, and swaps it in. Settings stay as they are.
    pub(super) fn swap(&mut self, module: &Module, bytes: &[u8]) -> Result<String, Failure> {
        let about = module.description();
        let known: Vec<ModuleInfo> = self.client.get("/v1/modules")?;
        let digest = module.digest().to_string();
        let versions: BTreeMap<&str, &str> = known
            .iter()
            .filter(|known| known.name == about.name)
            .map(|known| (known.version.as_str(), known.digest.as_str()))
            .collect();
        let version = match versions.iter().find(|(_, known)| **known == digest) {
            Some((version, _)) => (*version).to_owned(),
            None => {
                let version = next_version(&about.version, versions.keys().copied());
                let path = format!("/v1/modules/{}/{}", escape(&about.name), escape(&version));
                self.client.put::<ModuleInfo>(&path, bytes.to_vec())?.version
            }
        };
        let reference = format!("{}@{version}", about.name);
        let pipeline = format!("/v1/pipelines/{}", escape(self.pipeline));
        let status: Value = self.client.get(&pipeline)?;
        let module = &status["module"];
        if module["name"] == about.name.as_str() && module["digest"] == digest.as_str() {
            return Ok(format!("{}: release {} has this module already", self.pipeline, status["release"]));
        }
        let request = SwapRequest { module: Some(reference.clone()), config: None };
        let status: Value = self.client.post(&format!("{pipeline}/swap"), &request)?;
        Ok(format!("{}: release {}, {reference}", self.pipeline, status["release"]))
    }
}

/// The first `VERSION-dev.N` that is free.
fn next_version<'v>(version: &str, known: impl Iterator<Item = &'v str>) -> String {
    let number = |known: &str| known.strip_prefix(version)?.strip_prefix("-dev.")?.parse::<u64>().ok();
    let last = known.filter_map(number).max().unwrap_or(0);
    format!("{version}-dev.{}", last.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_on_their_way_count_up() {
        let next = |known: &[&str]| next_version("1.2.0", known.iter().copied());
        assert_eq!(next(&[]), "1.2.0-dev.1");
        assert_eq!(next(&["1.2.0", "1.2.0-dev.9", "1.2.0-dev.10", "1.1.0-dev.99", "1.2.0-dev.x"]), "1.2.0-dev.11");
    }
}
