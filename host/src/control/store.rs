//! What survives: a SQLite file and a folder of modules, in one data directory that belongs to one host at a time.
//!
//! Every change is one transaction, synced before it is reported (`synchronous = FULL`). A module's bytes are a file
//! named by their digest, complete before any row speaks of it.

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::{Connection, OptionalExtension as _, params};
use thiserror::Error;

use crate::{
    engine::{Description, Digest},
    pipeline::{Began, ModuleId},
};

mod batches;
mod rows;
pub(super) use batches::BatchRow;
pub(super) use rows::{ModuleRow, PipelineRow, ReleaseRow, ReleaseState};

/// The tables, as steps from one version of the file to the next. A later program makes the steps that an earlier file
/// lacks; an earlier program refuses a later file.
const MIGRATIONS: [&str; 2] = [TABLES, TRIGGERS];

const TABLES: &str = "
CREATE TABLE modules (
    name TEXT NOT NULL, version TEXT NOT NULL, digest TEXT NOT NULL, uploaded_at TEXT NOT NULL,
    description TEXT NOT NULL, world TEXT NOT NULL, imports TEXT NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (name, version)
) STRICT;
CREATE TABLE pipelines (
    name TEXT PRIMARY KEY, spec TEXT NOT NULL, base TEXT NOT NULL, paused INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE releases (
    pipeline TEXT NOT NULL REFERENCES pipelines (name) ON DELETE CASCADE, id INTEGER NOT NULL,
    module TEXT NOT NULL, version TEXT NOT NULL, digest TEXT NOT NULL,
    spec TEXT NOT NULL, config TEXT, state TEXT NOT NULL, reason TEXT, created_at TEXT NOT NULL,
    PRIMARY KEY (pipeline, id)
) STRICT;
CREATE TABLE began (
    pipeline TEXT NOT NULL, release INTEGER NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    PRIMARY KEY (pipeline, release, topic, partition),
    FOREIGN KEY (pipeline, release) REFERENCES releases (pipeline, id) ON DELETE CASCADE
) STRICT;
";

/// `applied` is the text as it was given last, before patches; saved batches.
const TRIGGERS: &str = "
ALTER TABLE pipelines ADD COLUMN applied TEXT;
CREATE TABLE batches (
    pipeline TEXT NOT NULL REFERENCES pipelines (name) ON DELETE CASCADE, name TEXT NOT NULL,
    input TEXT NOT NULL, records INTEGER NOT NULL, saved_at TEXT NOT NULL,
    PRIMARY KEY (pipeline, name)
) STRICT;
";

#[derive(Debug, Error)]
pub enum StoreError {
    #[error("the data directory {0} is in use by another host")]
    Locked(String),
    #[error("the data directory {path}: {source}")]
    Io { path: String, source: io::Error },
    #[error("its database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the database is of a later version ({found}) than this program knows ({known}): use a later program")]
    Later { found: i64, known: i64 },
    #[error("a row cannot be read: {0}")]
    Row(#[from] serde_json::Error),
}

pub(super) struct Store {
    db: Connection,
    modules: PathBuf,
    /// Names this data directory among those of other hosts, for ever.
    instance: Arc<str>,
    /// Held as long as the store is open.
    _lock: File,
}

impl Store {
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Io { path: folder.display().to_string(), source };
        let modules = folder.join("modules");
        fs::create_dir_all(&modules).map_err(failed)?;
        let lock = File::create(folder.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Locked(folder.display().to_string())),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let db = Connection::open(folder.join("state.db"))?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", "FULL")?;
        db.pragma_update(None, "foreign_keys", true)?;
        let found: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let known = MIGRATIONS.len() as i64;
        if found > known {
            return Err(StoreError::Later { found, known });
        }
        for (version, step) in (1_i64..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
            db.execute_batch(&format!("BEGIN; {step} PRAGMA user_version = {version}; COMMIT;"))?;
        }
        let instance = instance(&folder.join("instance")).map_err(failed)?;
        Ok(Self { db, modules, instance, _lock: lock })
    }

    pub(super) fn instance(&self) -> &Arc<str> {
        &self.instance
    }

    /// Keeps a module's bytes and names it. Answers the digest that the name has already, if it is another.
    pub(super) fn put_module(&mut self, module: &ModuleRow, bytes: &[u8]) -> Result<Option<String>, StoreError> {
        let path = self.module_path(&module.id.digest);
        let failed = |source| StoreError::Io { path: path.display().to_string(), source };
        if !path.exists() {
            let mut file = tempfile::Builder::new().prefix(".module").tempfile_in(&self.modules).map_err(failed)?;
            file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
            file.persist(&path).map_err(|error| failed(error.error))?;
            File::open(&self.modules).and_then(|folder| folder.sync_all()).map_err(failed)?;
        }
        if let Some(existing) = self.module(&module.id.name, &module.id.version)? {
            return Ok(Some(existing.id.digest).filter(|digest| *digest != module.id.digest));
        }
        self.db.execute(
            "INSERT INTO modules (name, version, digest, uploaded_at, description, world, imports, bytes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                module.id.name,
                module.id.version,
                module.id.digest,
                module.uploaded_at,
                serde_json::to_string(&module.description)?,
                module.world,
                serde_json::to_string(&module.imports)?,
                module.bytes as i64,
            ],
        )?;
        Ok(None)
    }

    pub(super) fn module(&self, name: &str, version: &str) -> Result<Option<ModuleRow>, StoreError> {
        let mut all = self.query_modules("WHERE name = ?1 AND version = ?2", params![name, version])?;
        Ok(all.pop())
    }

    pub(super) fn module_by_digest(&self, name: &str, digest: &str) -> Result<Option<ModuleRow>, StoreError> {
        let mut all = self.query_modules("WHERE name = ?1 AND digest = ?2", params![name, digest])?;
        Ok(all.pop())
    }

    pub(super) fn modules(&self) -> Result<Vec<ModuleRow>, StoreError> {
        self.query_modules("ORDER BY name, uploaded_at", params![])
    }

    fn query_modules(&self, rest: &str, params: &[&dyn rusqlite::ToSql]) -> Result<Vec<ModuleRow>, StoreError> {
        let columns = "name, version, digest, uploaded_at, description, world, imports, bytes";
        let mut statement = self.db.prepare_cached(&format!("SELECT {columns} FROM modules {rest}"))?;
        let mut rows = statement.query(params)?;
        let mut modules = Vec::new();
        while let Some(row) = rows.next()? {
            let description: Description = serde_json::from_str(&row.get::<_, String>(4)?)?;
            modules.push(ModuleRow {
                id: ModuleId { name: row.get(0)?, version: row.get(1)?, digest: row.get(2)? },
                uploaded_at: row.get(3)?,
                description,
                world: row.get(5)?,
                imports: serde_json::from_str(&row.get::<_, String>(6)?)?,
                bytes: row.get::<_, i64>(7)? as usize,
            });
        }
        Ok(modules)
    }

    /// The bytes of a module, verified against its digest.
    pub(super) fn module_bytes(&self, digest: &str) -> Result<Vec<u8>, StoreError> {
        let path = self.module_path(digest);
        let failed = |source| StoreError::Io { path: path.display().to_string(), source };
        let bytes = fs::read(&path).map_err(failed)?;
        if Digest::of(&bytes).to_string() != digest {
            return Err(failed(io::Error::new(
                io::ErrorKind::InvalidData,
                "the file is damaged: upload the module again",
            )));
        }
        Ok(bytes)
    }

    fn module_path(&self, digest: &str) -> PathBuf {
        self.modules.join(format!("{}.wasm", digest.trim_start_matches("sha256:")))
    }

    pub(super) fn pipelines(&self) -> Result<Vec<PipelineRow>, StoreError> {
        self.query_pipelines("ORDER BY name", params![])
    }

    pub(super) fn pipeline(&self, name: &str) -> Result<Option<PipelineRow>, StoreError> {
        Ok(self.query_pipelines("WHERE name = ?1", params![name])?.pop())
    }

    fn query_pipelines(&self, rest: &str, params: &[&dyn rusqlite::ToSql]) -> Result<Vec<PipelineRow>, StoreError> {
        let mut statement =
            self.db.prepare_cached(&format!("SELECT name, spec, base, paused, applied FROM pipelines {rest}"))?;
        let rows = statement.query_map(params, |row| {
            Ok(PipelineRow {
                name: row.get(0)?,
                spec: row.get(1)?,
                base: row.get(2)?,
                paused: row.get(3)?,
                applied: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(super) fn set_paused(&self, name: &str, paused: bool) -> Result<(), StoreError> {
        self.db.execute("UPDATE pipelines SET paused = ?2 WHERE name = ?1", params![name, paused])?;
        Ok(())
    }

    pub(super) fn delete_pipeline(&self, name: &str) -> Result<(), StoreError> {
        self.db.execute("DELETE FROM pipelines WHERE name = ?1", params![name])?;
        Ok(())
    }

    /// Number of the next release of a pipeline.
    pub(super) fn next_release(&self, pipeline: &str) -> Result<u64, StoreError> {
        let last: Option<i64> =
            self.db
                .query_row("SELECT max(id) FROM releases WHERE pipeline = ?1", params![pipeline], |row| row.get(0))?;
        Ok(last.unwrap_or(0) as u64 + 1)
    }

    /// Makes a release the live one, together with the pipeline's text that it was made from: one transaction. The one
    /// before is retired. To be called before the release takes over, so that a restart goes on with it. `applied` is
    /// the text as it was given, where it was.
    pub(super) fn go_live(
        &mut self,
        release: &ReleaseRow,
        base: &str,
        applied: Option<&str>,
    ) -> Result<(), StoreError> {
        let db = self.db.transaction()?;
        db.execute(
            "INSERT INTO pipelines (name, spec, base, applied) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (name) DO UPDATE SET spec = ?2, base = ?3, applied = coalesce(?4, applied)",
            params![release.pipeline, release.spec, base, applied],
        )?;
        db.execute(
            "UPDATE releases SET state = 'retired' WHERE pipeline = ?1 AND state = 'live'",
            params![release.pipeline],
        )?;
        insert_release(&db, release)?;
        db.commit()?;
        Ok(())
    }

    /// Changes the text of a pipeline and of its live release: of controls, which are no part of a release.
    pub(super) fn set_spec(&mut self, pipeline: &str, spec: &str) -> Result<(), StoreError> {
        let db = self.db.transaction()?;
        db.execute("UPDATE pipelines SET spec = ?2 WHERE name = ?1", params![pipeline, spec])?;
        db.execute("UPDATE releases SET spec = ?2 WHERE pipeline = ?1 AND state = 'live'", params![pipeline, spec])?;
        db.commit()?;
        Ok(())
    }

    /// Remembers a release that was refused.
    pub(super) fn note_failed(&self, release: &ReleaseRow) -> Result<(), StoreError> {
        insert_release(&self.db, release)
    }

    /// Newest first, with where each began.
    pub(super) fn releases(&self, pipeline: &str) -> Result<Vec<ReleaseRow>, StoreError> {
        self.query_releases(pipeline, "")
    }

    pub(super) fn live(&self, pipeline: &str) -> Result<Option<ReleaseRow>, StoreError> {
        Ok(self.query_releases(pipeline, "AND state = 'live'")?.pop())
    }

    fn query_releases(&self, pipeline: &str, which: &str) -> Result<Vec<ReleaseRow>, StoreError> {
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT id, module, version, digest, spec, config, state, reason, created_at FROM releases
             WHERE pipeline = ?1 {which} ORDER BY id DESC"
        ))?;
        let mut rows = statement.query(params![pipeline])?;
        let mut releases = Vec::new();
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            let config: Option<String> = row.get(5)?;
            releases.push(ReleaseRow {
                pipeline: pipeline.to_owned(),
                id: id as u64,
                module: ModuleId { name: row.get(1)?, version: row.get(2)?, digest: row.get(3)? },
                spec: row.get(4)?,
                config: config.map(|config| serde_json::from_str(&config)).transpose()?,
                state: ReleaseState::from_name(&row.get::<_, String>(6)?),
                reason: row.get(7)?,
                created_at: row.get(8)?,
                began: self.began_of(pipeline, id)?,
            });
        }
        Ok(releases)
    }

    fn began_of(&self, pipeline: &str, release: i64) -> Result<BTreeMap<String, BTreeMap<i32, i64>>, StoreError> {
        let mut statement = self
            .db
            .prepare_cached("SELECT topic, partition, offset FROM began WHERE pipeline = ?1 AND release = ?2")?;
        let mut rows = statement.query(params![pipeline, release])?;
        let mut began = BTreeMap::<String, BTreeMap<i32, i64>>::new();
        while let Some(row) = rows.next()? {
            began.entry(row.get(0)?).or_default().insert(row.get(1)?, row.get(2)?);
        }
        Ok(began)
    }

    /// Where a release began; what was said first stays.
    pub(super) fn began(&self, began: &Began) -> Result<(), StoreError> {
        self.db
            .execute(
                "INSERT OR IGNORE INTO began (pipeline, release, topic, partition, offset) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![began.pipeline, began.release as i64, began.topic, began.partition, began.offset],
            )
            .optional()?;
        Ok(())
    }
}

fn insert_release(db: &Connection, release: &ReleaseRow) -> Result<(), StoreError> {
    let config = release.config.as_ref().map(serde_json::to_string).transpose()?;
    db.execute(
        "INSERT INTO releases (pipeline, id, module, version, digest, spec, config, state, reason, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            release.pipeline,
            release.id as i64,
            release.module.name,
            release.module.version,
            release.module.digest,
            release.spec,
            config,
            release.state.name(),
            release.reason,
            release.created_at,
        ],
    )?;
    Ok(())
}

/// What the file says; written with the first start.
fn instance(file: &Path) -> io::Result<Arc<str>> {
    match fs::read_to_string(file) {
        Ok(name) if !name.trim().is_empty() => return Ok(name.trim().into()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let name = format!("{:016x}", rand::random::<u64>());
    // Complete before it has its name.
    let draft = file.with_extension("new");
    fs::write(&draft, &name)?;
    fs::rename(&draft, file)?;
    Ok(name.into())
}

#[cfg(test)]
mod tests;
