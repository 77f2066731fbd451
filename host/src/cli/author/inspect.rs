//! `inspect FILE`: what a module is and asks for, and what a host would grant and refuse, without one.

use std::{fs, path::Path, process::ExitCode};

use super::{
    super::output::{self, Failure, Kind},
    build::{describe, refused},
    engine, shown,
};
use crate::engine::{Import, Inspection};

/// The code is that of a refusal where a host would refuse the file.
pub(in crate::cli) fn inspect(file: &Path, json: bool) -> Result<ExitCode, Failure> {
    let bytes = fs::read(file).map_err(|error| Failure::new(Kind::Usage, format!("{}: {error}", shown(file))))?;
    let (engine, _cache) = engine()?;
    let inspection = engine.inspect(&bytes).map_err(|error| refused(file, &error))?;
    if json {
        let Inspection { digest, code_bytes, imports, exports, module } = &inspection;
        let module_or = module.as_ref().ok();
        output::json(&serde_json::json!({
            "file": shown(file),
            "bytes": bytes.len(),
            "digest": digest.to_string(),
            "code_bytes": code_bytes,
            "world": module_or.map(|module| module.world()),
            "description": module_or.map(|module| module.description().clone()),
            "imports": imports,
            "exports": exports,
            "refused": module.as_ref().err().map(|error| {
                serde_json::json!({ "code": error.code(), "detail": error.to_string() })
            }),
        }))?;
    } else {
        show(file, bytes.len(), &inspection);
    }
    Ok(inspection.module.map_or(ExitCode::from(Kind::Refused as u8), |_| ExitCode::SUCCESS))
}

fn show(file: &Path, bytes: usize, inspection: &Inspection) {
    let Inspection { digest, code_bytes, imports, exports, module } = inspection;
    let kib = |bytes: usize| bytes.div_ceil(1024);
    output::line(format_args!("{}  {} KiB, compiled {} KiB  {digest}", shown(file), kib(bytes), kib(*code_bytes)));
    if let Ok(module) = module {
        describe(module.description());
        output::line(format_args!("world: {}", format!("{:?}", module.world()).to_lowercase()));
    }
    output::line(format_args!(
        "exports: {}",
        if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") }
    ));
    output::line(if imports.is_empty() { "imports: nothing" } else { "imports:" });
    for Import { name, granted, what } in imports {
        let word = if *granted { "granted" } else { "REFUSED" };
        output::line(format_args!("  {word}  {name}: {what}"));
    }
    match module {
        Ok(_) => output::line("a host would take it"),
        Err(error) => output::line(format_args!("a host would refuse it: {error}")),
    }
}
