//! Modules: uploads and what is known of them.

use super::{ControlError, controller::Inner, store::ModuleRow};
use crate::{
    config::{ModuleRef, check_name},
    engine::{Description, Module, Setting},
    pipeline::ModuleId,
};

/// A module as people see it.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct ModuleInfo {
    pub name: String,
    pub version: String,
    /// `sha256:` and 64 hex digits.
    pub digest: String,
    /// RFC 3339.
    pub uploaded_at: String,
    /// Size of the upload.
    pub bytes: usize,
    /// What it says that it does.
    pub summary: String,
    /// What it says that it can be told.
    #[schema(value_type = Vec<Object>)]
    pub settings: Vec<Setting>,
    /// `columns` or `records`: the world of the contract that it is built for.
    pub world: String,
    /// Everything that the component imports.
    pub imports: Vec<String>,
    /// How long it took to compile; null where that had been done.
    pub compiled_in_ms: Option<u64>,
}

impl ModuleInfo {
    fn of(row: ModuleRow, compiled_in_ms: Option<u64>) -> Self {
        let ModuleRow { id, uploaded_at, description, world, imports, bytes } = row;
        let Description { summary, settings, .. } = description;
        let ModuleId { name, version, digest } = id;
        Self { name, version, digest, uploaded_at, bytes, summary, settings, world, imports, compiled_in_ms }
    }
}

impl Inner {
    /// Takes a module in: compiles it, lets it say who it is, and keeps it. The same bytes again are no error.
    pub(super) fn upload(&self, name: &str, version: &str, bytes: &[u8]) -> Result<ModuleInfo, ControlError> {
        check_name(name).map_err(|error| ControlError::BadName(format!("module name `{name}`: {error}")))?;
        if let Err(error) = format!("{name}@{version}").parse::<ModuleRef>() {
            return Err(ControlError::BadName(format!("module version `{version}`: {error}")));
        }
        let module = self.engine.load(bytes)?;
        let row = row(name, version, &module, bytes.len());
        if let Some(existing) = self.store.lock().put_module(&row, bytes)? {
            let (name, version) = (name.to_owned(), version.to_owned());
            return Err(ControlError::ModuleExists { name, version, existing });
        }
        tracing::info!(name, version, digest = row.id.digest, "module uploaded");
        let compiled = module.compiled_in().map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        Ok(ModuleInfo::of(row, compiled))
    }

    pub(super) fn modules(&self) -> Result<Vec<ModuleInfo>, ControlError> {
        Ok(self.store.lock().modules()?.into_iter().map(|row| ModuleInfo::of(row, None)).collect())
    }

    /// Finds what a pipeline names, and loads it. A file is taken in first, under the name that it gives itself.
    pub(super) fn resolve(&self, reference: &ModuleRef) -> Result<(Module, ModuleId), ControlError> {
        let id = match reference {
            ModuleRef::File(path) => return self.take_file(path),
            ModuleRef::Version { name, version } => self.store.lock().module(name, version)?,
            ModuleRef::Digest { name, digest } => {
                self.store.lock().module_by_digest(name, &format!("sha256:{digest}"))?
            }
        };
        let id = id.map(|row| row.id).ok_or_else(|| ControlError::NotFound {
            what: "module",
            name: reference.to_string(),
            hint: self.versions_of(reference),
        })?;
        Ok((self.load(&id.digest)?, id))
    }

    pub(super) fn load(&self, digest: &str) -> Result<Module, ControlError> {
        let bytes = self.store.lock().module_bytes(digest)?;
        Ok(self.engine.load(&bytes)?)
    }

    fn take_file(&self, path: &std::path::Path) -> Result<(Module, ModuleId), ControlError> {
        let bytes = std::fs::read(path)
            .map_err(|error| ControlError::BadRequest(format!("module file {}: {error}", path.display())))?;
        let module = self.engine.load(&bytes)?;
        let Description { name, version, .. } = module.description().clone();
        let mut row = row(&name, &version, &module, bytes.len());
        let mut store = self.store.lock();
        if store.put_module(&row, &bytes)?.is_some() {
            // An author rebuilds without counting the version up: told apart by digest.
            let short: String = module.digest().hex().chars().take(12).collect();
            row.id.version = format!("{version}+{short}");
            store.put_module(&row, &bytes)?;
        }
        Ok((module, row.id))
    }

    fn versions_of(&self, reference: &ModuleRef) -> String {
        let (ModuleRef::Version { name, .. } | ModuleRef::Digest { name, .. }) = reference else {
            return String::new();
        };
        let known: Vec<String> = match self.store.lock().modules() {
            Ok(rows) => rows.into_iter().map(|row| row.id).filter(|id| id.name == *name).map(|id| id.version).collect(),
            Err(_) => vec![],
        };
        if known.is_empty() {
            format!(": push it first with `wasmill push FILE {name}@VERSION`")
        } else {
            format!(": `{name}` has versions {}", known.join(", "))
        }
    }
}

fn row(name: &str, version: &str, module: &Module, bytes: usize) -> ModuleRow {
    ModuleRow {
        id: ModuleId { name: name.into(), version: version.into(), digest: module.digest().to_string() },
        uploaded_at: super::releases::now(),
        description: module.description().clone(),
        world: format!("{:?}", module.world()).to_lowercase(),
        imports: module.imports(),
        bytes,
    }
}
