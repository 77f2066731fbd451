//! The cache of compiled code, and the only place where code is loaded.
//!
//! An artefact is our own compiler's output and nothing else: its name holds the digest of what it was made from and a
//! key of the exact engine (version, settings, this program's version), and its content is sealed with a key that only
//! this host's user can read. What does not match is compiled again, never loaded. The artefact is verified and loaded
//! from memory, so nobody can change it in between.

use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use wasmtime::{Engine, component::Component};

use super::{error::EngineError, module::Digest};

const KEY_FILE: &str = "key";
const KEY_BYTES: usize = 32;
const SEAL_BYTES: usize = 32;

/// The exact engine: wasmtime loads artefacts of another patch version of its own, which after a mended miscompilation
/// would bring the broken code back.
const WASMTIME: &str = "48.0.8";

pub(super) struct Artifacts {
    folder: PathBuf,
    key: [u8; KEY_BYTES],
    engine_key: String,
}

impl Artifacts {
    pub(super) fn open(folder: &Path, engine: &Engine) -> Result<Self, EngineError> {
        let failed = |source| EngineError::Cache { path: folder.display().to_string(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let key = open_key(&folder.join(KEY_FILE)).map_err(failed)?;
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let engine_key = format!("{WASMTIME}-{}-{:016x}", env!("CARGO_PKG_VERSION"), hasher.finish());
        Ok(Self { folder: folder.to_owned(), key, engine_key })
    }

    /// The artefact of a digest, verified and loaded; `None` where there is none that can be trusted.
    pub(super) fn load(&self, engine: &Engine, digest: &Digest) -> Option<(Component, usize)> {
        let path = self.path(digest);
        let content = fs::read(&path).ok()?;
        let (seal, code) = content.split_at_checked(SEAL_BYTES)?;
        if self.sealer(digest).chain_update(code).verify_slice(seal).is_err() {
            tracing::warn!(path = %path.display(), "artefact is not ours, or damaged: compiled again");
            return None;
        }
        match deserialize(engine, code) {
            Ok(component) => Some((component, code.len())),
            Err(error) => {
                tracing::warn!(path = %path.display(), error = format!("{error:#}"), "artefact does not load: compiled again");
                None
            }
        }
    }

    /// Seals what the compiler made, keeps it, and loads it.
    pub(super) fn store(&self, engine: &Engine, digest: &Digest, code: &[u8]) -> Result<Component, wasmtime::Error> {
        let component = deserialize(engine, code)?;
        let seal = self.sealer(digest).chain_update(code).finalize().into_bytes();
        if let Err(error) = self.write(&self.path(digest), &[&seal, code]) {
            tracing::warn!(%error, "artefact cannot be kept: it will be compiled again after a restart");
        }
        Ok(component)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{}-{}.artifact", digest.hex(), self.engine_key))
    }

    fn sealer(&self, digest: &Digest) -> Hmac<Sha256> {
        // Any length of key will do for HMAC.
        let mac =
            Hmac::<Sha256>::new_from_slice(&self.key).unwrap_or_else(|_| Hmac::<Sha256>::new(&Default::default()));
        mac.chain_update(digest.hex()).chain_update(&self.engine_key)
    }

    fn write(&self, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".artifact").tempfile_in(&self.folder)?;
        parts.iter().try_for_each(|part| file.write_all(part))?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    }
}

/// # Safety of the `unsafe` inside
/// The code is what our own compiler answered a moment ago, or what it answered earlier as the seal proves.
#[allow(unsafe_code, reason = "loading compiled code cannot be checked by wasmtime: see the module's documentation")]
fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: see above.
    unsafe { Component::deserialize(engine, code) }
}

/// Reads the sealing key, or makes one.
fn open_key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let read = |path: &Path| {
        let bytes = fs::read(path)?;
        bytes.try_into().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the key file is damaged: remove it"))
    };
    let key: [u8; KEY_BYTES] = rand::random();
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            file.write_all(&key)?;
            file.sync_all()?;
            Ok(key)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(path),
        Err(error) => Err(error),
    }
}
