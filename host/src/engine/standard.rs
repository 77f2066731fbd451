//! Interfaces of WASI that are always granted, since they reach nothing: `wasi:config/store` shows a module the settings
//! that its `init` is given, and `wasi:logging/logging` writes to its log.

use super::{
    bindings::{
        config::wasi::config::store,
        logging::wasi::logging::logging::{self, Level},
    },
    guest::LogLevel,
    state::State,
};

impl store::Host for State {
    fn get(&mut self, name: String) -> Result<Option<String>, store::Error> {
        Ok(self.config.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()))
    }

    fn get_all(&mut self) -> Result<Vec<(String, String)>, store::Error> {
        Ok(self.config.clone())
    }
}

impl logging::Host for State {
    fn log(&mut self, level: Level, context: String, message: String) {
        let level = match level {
            Level::Trace => LogLevel::Trace,
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warn,
            Level::Error | Level::Critical => LogLevel::Error,
        };
        if context.is_empty() {
            self.mouth.log(level, &message);
        } else {
            self.mouth.log(level, &format!("{context}: {message}"));
        }
    }
}
