//! What a run found, for people and for machines.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use comfy_table::{Table, presets};
use serde::Serialize;
use serde_json::json;

use super::{Args, findings::Findings};

/// A fault that is over.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Struck {
    /// When it began, in milliseconds since 1970.
    pub(crate) at: i64,
    pub(crate) kind: &'static str,
    /// From its begin until all was back.
    pub(crate) seconds: f64,
}

/// See the module's documentation.
pub(crate) struct Report {
    pub(crate) args: Args,
    /// Written to the input topic.
    pub(crate) records: u64,
    /// How many of them the input topic has beyond once: not by any host, but by the client that wrote them.
    pub(crate) written_again: usize,
    /// From the first fault to the last.
    pub(crate) striking: Duration,
    pub(crate) struck: Vec<Struck>,
    /// What hosts did that they must not do.
    pub(crate) violations: Vec<String>,
    pub(crate) findings: Vec<Findings>,
    /// Duplicates under at-least-once, by the kind of the fault before.
    pub(crate) doubles: BTreeMap<&'static str, u64>,
}

impl Report {
    pub(crate) fn good(&self) -> bool {
        self.violations.is_empty() && !self.findings.is_empty() && self.findings.iter().all(Findings::good)
    }

    fn kinds(&self) -> BTreeMap<&'static str, u64> {
        let mut kinds = BTreeMap::new();
        self.struck.iter().for_each(|struck| *kinds.entry(struck.kind).or_default() += 1);
        kinds
    }

    pub(crate) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY);
        table.set_header(["", "expected", "found", "lost", "doubled", "misplaced", "wrong"]);
        for it in &self.findings {
            let numbers = [it.expected, it.found, it.lost, it.doubled, it.misplaced, it.wrong];
            table.add_row([it.what.to_owned()].into_iter().chain(numbers.map(|number| number.to_string())));
        }
        let mut text = format!("{table}\n");
        let kinds = self.kinds();
        for (kind, count) in &kinds {
            let doubles = self.doubles.get(kind).copied().unwrap_or(0);
            let each = doubles as f64 / *count as f64;
            writeln!(text, "{count:>4} {kind}: {doubles} duplicates under at-least-once, {each:.0} each")
                .expect("written");
        }
        self.findings.iter().flat_map(|it| &it.examples).for_each(|it| writeln!(text, "  {it}").expect("written"));
        self.violations.iter().for_each(|it| writeln!(text, "  {it}").expect("written"));
        if self.written_again > 0 {
            writeln!(text, "  the input has {} records that its writer's client wrote again", self.written_again)
                .expect("written");
        }
        let verdict = if self.good() { "good" } else { "BAD" };
        let (faults, minutes) = (self.struck.len(), self.striking.as_secs_f64() / 60.0);
        write!(
            text,
            "{verdict}: seed {}, {} records, {faults} faults in {minutes:.1} minutes",
            self.args.seed, self.records
        )
        .expect("written");
        text
    }

    pub(crate) fn json(&self) -> String {
        let report = json!({
            "seed": self.args.seed,
            "rate": self.args.rate,
            "records": self.records,
            "records_written_again_by_the_client": self.written_again,
            "minutes": (self.striking.as_secs_f64() / 6.0).round() / 10.0,
            "faults": self.struck.len(),
            "faults_by_kind": self.kinds(),
            "duplicates_by_kind_of_the_fault_before": self.doubles,
            "findings": self.findings,
            "violations": self.violations,
            "good": self.good(),
        });
        serde_json::to_string_pretty(&report).expect("JSON")
    }
}
