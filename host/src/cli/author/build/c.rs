//! C, by zig's compiler or wasi-sdk's.
//!
//! A project is `compile_flags.txt` (clang's own format, a flag on each line: editors read it too) and `src/*.c`. The
//! flag `-DMODULE="NAME"` names the module.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use wasmparser::{Parser, Payload};

use super::{
    super::{
        super::output::{Failure, Kind},
        shown,
    },
    Built,
    find::{Script, command, on_path},
};

/// What compilers are told besides the project's flags. Without the size, zig's stack takes 16 MiB.
const FLAGS: [&str; 4] = ["-mexec-model=reactor", "-O2", "-g", "-Wl,-z,stack-size=1048576"];

const ZIG: Script = Script { name: "python-zig", module: "ziglang", start: ["-m", "ziglang"] };

/// The variable that wasi-sdk's documentation names for its place.
const WASI_SDK: &str = "WASI_SDK_PATH";

const INSTALL: &str = "no C compiler for WebAssembly is installed here: `pip install ziglang==0.17.1` (in a venv: `python3 -m \
                       venv .venv`, `.venv/bin/pip install ziglang==0.17.1`); zig of https://ziglang.org/download and \
                       wasi-sdk (WASI_SDK_PATH names its folder) do as well";

pub(in crate::cli::author) fn build(folder: &Path) -> Result<Built, Failure> {
    let failed = |path: &Path, error: std::io::Error| Failure::failed(format!("{}: {error}", shown(path)));
    let root = folder.canonicalize().map_err(|error| failed(folder, error))?;
    let file = root.join("compile_flags.txt");
    let text = fs::read_to_string(&file).map_err(|error| failed(&file, error))?;
    let flags: Vec<&str> = text.lines().map(str::trim).filter(|flag| !flag.is_empty()).collect();
    let mut sources = Vec::new();
    find_sources(&root.join("src"), &mut sources).map_err(|error| failed(&root.join("src"), error))?;
    if sources.is_empty() {
        return Err(Failure::new(Kind::Usage, format!("{}: no source is there (src/*.c)", shown(folder))));
    }
    sources.sort();
    let work = tempfile::tempdir().map_err(Failure::failed)?;
    let core = work.path().join("core.wasm");
    let mut compiler = compiler(&root)?;
    compiler.current_dir(&root).args(&flags).args(FLAGS);
    // As people write them: so a panic and the compiler name their places.
    compiler.args(sources.iter().map(|source| source.strip_prefix(&root).unwrap_or(source)));
    compiler.arg("-o").arg(&core);
    let status = compiler.status().map_err(|error| Failure::failed(format!("the C compiler: {error}")))?;
    if !status.success() {
        return Err(Failure::failed(format!("the C compiler did not build the module ({status})")));
    }
    let core = fs::read(&core).map_err(|error| failed(&core, error))?;
    Built::write(folder, &name(&flags, &root), &without_debug(&core).unwrap_or(core))
}

/// The module's name: the flag `-DMODULE="NAME"`, or that of the folder.
fn name(flags: &[&str], root: &Path) -> String {
    let defined = flags.iter().find_map(|flag| flag.strip_prefix("-DMODULE=\"")?.strip_suffix('"'));
    let folder = || root.file_name().map(|name| name.to_string_lossy().into_owned());
    defined.map(str::to_owned).or_else(folder).unwrap_or_else(|| "module".into())
}

fn find_sources(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find_sources(&path, found)?;
        } else if path.extension().is_some_and(|kind| kind == "c") {
            found.push(path);
        }
    }
    Ok(())
}

/// The first compiler that is there: the one that a variable names, the project's own, those of the path.
fn compiler(root: &Path) -> Result<Command, Failure> {
    let wasi_sdk = |clang: &Path| {
        let mut clang = command(clang);
        clang.args(["--target=wasm32-wasip1", "-Wl,--stack-first"]);
        clang
    };
    if let Some(sdk) = env::var_os(WASI_SDK) {
        let clang = Path::new(&sdk).join("bin/clang");
        if !clang.is_file() {
            return Err(Failure::failed(format!("{WASI_SDK}: {} is not there", clang.display())));
        }
        return Ok(wasi_sdk(&clang));
    }
    let zig = ZIG.find(root).or_else(|| on_path("zig").map(|zig| command(&zig)));
    if let Some(mut zig) = zig {
        zig.args(["cc", "-target", "wasm32-wasi"]);
        return Ok(zig);
    }
    let usual = Path::new("/opt/wasi-sdk/bin/clang");
    if usual.is_file() { Ok(wasi_sdk(usual)) } else { Err(Failure::failed(INSTALL)) }
}

/// The module without its debugging sections: with zig they hold all of libc, a megabyte. The names of functions stay,
/// for the stack of a trap. `None` where it cannot be read: then others will say so.
fn without_debug(core: &[u8]) -> Option<Vec<u8>> {
    let mut kept = core.get(..8)?.to_vec();
    for payload in Parser::new(0).parse_all(core) {
        let payload = payload.ok()?;
        if matches!(&payload, Payload::CustomSection(section) if section.name().starts_with(".debug_")) {
            continue;
        }
        let Some((id, range)) = payload.as_section() else { continue };
        kept.push(id);
        let mut length = range.len();
        while length >= 0x80 {
            kept.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        kept.push(length as u8);
        kept.extend_from_slice(core.get(range)?);
    }
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_flags_or_the_folders() {
        let root = Path::new("/projects/log-clean");
        assert_eq!(name(&["-std=c11", "-DMODULE=\"lines\""], root), "lines");
        assert_eq!(name(&["-std=c11", "-DMODULE_VERSION=\"1\""], root), "log-clean");
    }

    #[test]
    fn only_debugging_sections_are_taken_out() {
        let custom = |name: &str, bytes: usize| {
            let mut content = vec![name.len() as u8];
            content.extend(name.as_bytes());
            content.extend(std::iter::repeat_n(7, bytes));
            let length = content.len();
            let mut section = vec![0, (length & 0x7f) as u8 | 0x80, (length >> 7) as u8];
            section.extend(content);
            section
        };
        let module = |sections: &[Vec<u8>]| [b"\0asm\x01\0\0\0".to_vec(), sections.concat()].concat();
        let (name, other) = (custom("name", 300), custom("other", 200));
        let all = module(&[custom(".debug_line", 500), name.clone(), custom(".debug_info", 130), other.clone()]);
        assert_eq!(without_debug(&all).expect("a module"), module(&[name, other]));
        assert_eq!(without_debug(b"no wasm"), None);
    }
}
