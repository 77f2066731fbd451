use std::{path::Path, process::ExitCode};

fn main() -> ExitCode {
    let a: Vec<String> = std::env::args().collect();
    match wasmill::engine::compile_worker(
        Path::new(&a[2]),
        Path::new(&a[3]),
        a[4].parse().unwrap(),
        a[5].parse().unwrap(),
    ) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}
