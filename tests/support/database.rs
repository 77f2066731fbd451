//! A database of a test's own in MariaDB, whose changes Maxwell writes to a topic.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    sync::OnceLock,
};

use crate::{Topic, services::beside, unique};

/// See the module's documentation.
pub struct Database {
    pub name: String,
    /// Where Maxwell writes its changes.
    pub topic: String,
}

/// Port of MariaDB; Maxwell reads it.
fn port() -> &'static str {
    static PORT: OnceLock<String> = OnceLock::new();
    PORT.get_or_init(|| {
        let url = beside(&["mariadb", "maxwell"])["WASMILL_TEST_MARIADB"].clone();
        url.rsplit(':').next().expect("a port").to_owned()
    })
}

impl Database {
    pub fn new(name: &str) -> Self {
        let name = unique(name).replace('-', "_");
        // Maxwell goes on without a record that it could not write, such as the first one while its topic is being made.
        let topic = Topic::named(&format!("maxwell-{name}")).name;
        Client::new("mysql").run(&format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"));
        Self { topic, name }
    }

    /// Runs statements, to the end of the last.
    pub fn run(&self, sql: &str) {
        Client::new(&self.name).run(sql);
    }

    /// The first column of each row of a query.
    pub fn query(&self, sql: &str) -> Vec<String> {
        let text = Client::new(&self.name).run(sql);
        text.lines().map(str::to_owned).collect()
    }
}

/// The program `mariadb`: what it reads it runs, what it finds it prints.
struct Client(Command);

impl Client {
    fn new(database: &str) -> Self {
        let mut client = Command::new("mariadb");
        client
            .args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "--user=root", "--port", port()])
            .args(["--default-character-set=utf8mb4", "--batch", "--raw", "--skip-column-names", database])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        Self(client)
    }

    fn run(mut self, sql: &str) -> String {
        let mut running = self.0.spawn().expect("mariadb runs");
        let mut input = running.stdin.take().expect("its input");
        input.write_all(sql.as_bytes()).expect("read");
        drop(input);
        let done = running.wait_with_output().expect("its end");
        assert!(done.status.success(), "a statement failed");
        String::from_utf8(done.stdout).expect("text")
    }
}
