//! A host that is measured, by its admin API.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::e2e::process::{self, Process};

const PATIENCE: Duration = Duration::from_secs(60);

/// See the module's documentation. Ends when it is dropped.
pub(crate) struct Host {
    process: Process,
    address: SocketAddr,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Host {
    /// Starts a host with pipelines, each a name and the text of its file.
    ///
    /// # Errors
    /// The program is missing, or does not come up.
    pub(crate) fn start(pipelines: &[(String, String)], folder: &Path) -> anyhow::Result<Self> {
        let program = std::env::current_exe()?.with_file_name("wasmill");
        ensure!(program.exists(), "{} is not there: `just bench` builds it", program.display());
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new(program);
        command.args(["run", "--admin", &address.to_string(), "--data-dir"]).arg(folder.join("data"));
        for (name, yaml) in pipelines {
            let file = folder.join(format!("{name}.yaml"));
            fs::write(&file, yaml)?;
            command.arg(file);
        }
        let process = Process::start("wasmill", command, &folder.join("log"))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut host = Self { process, address, client: reqwest::Client::new(), runtime };
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = host.statuses() {
            host.check()?;
            ensure!(Instant::now() < deadline, "the host does not answer: {error:#}");
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(host)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// # Errors
    /// It has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        self.process.check()
    }

    fn ask(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
        self.runtime.block_on(async {
            let response = request.timeout(PATIENCE).send().await?;
            let status = response.status();
            let text = response.text().await?;
            ensure!(status.is_success(), "{status}: {text}");
            Ok(serde_json::from_str(&text)?)
        })
    }

    fn url(&self, rest: &str) -> String {
        format!("http://{}/v1/{rest}", self.address)
    }

    /// All pipelines.
    ///
    /// # Errors
    /// The host does not answer.
    pub(crate) fn statuses(&self) -> anyhow::Result<Vec<Value>> {
        let answer = self.ask(self.client.get(self.url("pipelines")))?;
        answer.as_array().cloned().context("no list of pipelines")
    }

    /// # Errors
    /// The host does not answer, or there is no such pipeline.
    pub(crate) fn status(&self, pipeline: &str) -> anyhow::Result<Value> {
        self.ask(self.client.get(self.url(&format!("pipelines/{pipeline}"))))
    }

    /// Rows that are through, of all pipelines.
    ///
    /// # Errors
    /// The host does not answer.
    pub(crate) fn records(&self) -> anyhow::Result<u64> {
        let of = |status: &Value| status["records"]["in"].as_u64().context("no number of records");
        self.statuses()?.iter().map(of).sum()
    }

    /// Partitions that its lanes have taken up, of all pipelines.
    ///
    /// # Errors
    /// The host does not answer.
    pub(crate) fn partitions(&self) -> anyhow::Result<usize> {
        let topics = self.statuses()?.into_iter().filter_map(|status| status["partitions"].as_object().cloned());
        Ok(topics.flat_map(|topics| topics.into_values()).filter_map(|topic| Some(topic.as_object()?.len())).sum())
    }

    /// Looks at it, every now and then, until it is so.
    ///
    /// # Errors
    /// It ends or does not answer, or it is not so in time.
    pub(crate) fn wait(
        &mut self,
        what: &str,
        (look, patience): (Duration, Duration),
        done: impl Fn(&Self) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + patience;
        while !done(self)? {
            self.check()?;
            ensure!(Instant::now() < deadline, "waited in vain for {what}");
            std::thread::sleep(look);
        }
        Ok(())
    }

    /// # Errors
    /// The module is refused.
    pub(crate) fn upload(&self, name: &str, version: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let request = self.client.put(self.url(&format!("modules/{name}/{version}"))).body(bytes.to_vec());
        self.ask(request).map(drop).context("the upload")
    }

    /// # Errors
    /// The release is refused.
    pub(crate) fn swap(&self, pipeline: &str, module: &str) -> anyhow::Result<()> {
        let body = json!({ "module": module });
        self.ask(self.client.post(self.url(&format!("pipelines/{pipeline}/swap"))).json(&body))
            .map(drop)
            .context("the swap")
    }

    /// Resident memory now.
    ///
    /// # Errors
    /// There is no such process.
    pub(crate) fn memory_mib(&self) -> anyhow::Result<f64> {
        process::resident_mib(self.pid())
    }
}
