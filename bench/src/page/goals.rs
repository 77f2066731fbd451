//! What we want to reach, and what the youngest results say: a table at the head of the page.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;

use super::{BENCHES, markdown, read, youngest};
use crate::e2e::summary::Middle;

/// A number to reach.
struct Goal {
    what: &'static str,
    bound: Bound,
    unit: &'static str,
    measured: fn(&Results) -> Option<f64>,
    /// What keeps us from it. Shown where it is not reached.
    why: &'static str,
}

#[derive(Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Bound {
    fn holds(self, measured: f64) -> bool {
        match self {
            Self::AtMost(most) => measured <= most,
            Self::AtLeast(least) => measured >= least,
        }
    }
}

const GOALS: [Goal; 28] = [
    Goal {
        what: "crossing, 100 B, values in and none back (packing apart)",
        bound: Bound::AtMost(10.0),
        unit: " ns",
        measured: |all| all.crossing("kept"),
        why: "",
    },
    Goal {
        what: "crossing, 100 B, values in and out (packing apart)",
        bound: Bound::AtMost(10.0),
        unit: " ns",
        measured: |all| all.crossing("written"),
        why: "a third is copying the value, and a third the module's own code: the call alone takes 3 ns",
    },
    Goal {
        what: "records over columns, 100 B, values kept",
        bound: Bound::AtLeast(20.0),
        unit: "x",
        measured: |all| all.over_columns("kept"),
        why: "",
    },
    Goal {
        what: "records over columns, 100 B, values in and out",
        bound: Bound::AtLeast(20.0),
        unit: "x",
        measured: |all| all.over_columns("written"),
        why: "the copies and the module's own code cost the same both ways",
    },
    Goal {
        what: "CPU of the native loop on librdkafka's raw path, identity, 100 B",
        bound: Bound::AtMost(1.03),
        unit: "x",
        measured: |all| all.over("e2e-peers", 100, "wasmill", "raw", "cpu"),
        why: "",
    },
    Goal {
        what: "records per second of that loop, 100 B",
        bound: Bound::AtLeast(0.97),
        unit: "x",
        measured: |all| all.over("e2e-peers", 100, "wasmill", "raw", "records_per_second"),
        why: "",
    },
    Goal {
        what: "CPU of that loop, identity, 1 KB",
        bound: Bound::AtMost(1.05),
        unit: "x",
        measured: |all| all.over("e2e-sizes", 1000, "wasmill", "raw", "cpu"),
        why: "",
    },
    Goal {
        what: "CPU of that loop, 100 B, as the direct path's goal",
        bound: Bound::AtMost(0.3),
        unit: "x",
        measured: |all| all.over("e2e-peers", 100, "wasmill", "raw", "cpu"),
        why: "",
    },
    Goal {
        what: "CPU of a loop on rust-rdkafka's safe API",
        bound: Bound::AtMost(0.75),
        unit: "x",
        measured: |all| all.over("e2e-peers", 100, "wasmill", "safe", "cpu"),
        why: "",
    },
    Goal {
        what: "records per CPU-second of a Java loop",
        bound: Bound::AtLeast(3.0),
        unit: "x",
        measured: |all| all.over("e2e-peers", 100, "java", "wasmill", "cpu"),
        why: "",
    },
    Goal {
        what: "records per CPU-second of Flink",
        bound: Bound::AtLeast(4.0),
        unit: "x",
        measured: |all| all.over("e2e-peers", 100, "flink", "wasmill", "cpu"),
        why: "",
    },
    Goal {
        what: "records per CPU-second of Kafka Streams",
        bound: Bound::AtLeast(5.0),
        unit: "x",
        measured: |all| all.over("e2e-peers", 100, "streams", "wasmill", "cpu"),
        why: "",
    },
    Goal {
        what: "records per CPU-second of MirrorMaker 2",
        bound: Bound::AtLeast(10.0),
        unit: "x",
        measured: |all| all.over("e2e-peers", 100, "mm2", "wasmill", "cpu"),
        why: "",
    },
    Goal {
        what: "records per CPU-second of quixstreams",
        bound: Bound::AtLeast(20.0),
        unit: "x",
        measured: |all| all.over("e2e-peers", 100, "quix", "wasmill", "cpu"),
        why: "",
    },
    Goal {
        what: "records per second, exactly-once over at-least-once",
        bound: Bound::AtLeast(0.8),
        unit: "x",
        measured: Results::exactly_once,
        why: "",
    },
    Goal {
        what: "p99 of the latency of the native loop, linger 0, 1,000 records/s",
        bound: Bound::AtMost(1.5),
        unit: "x",
        measured: Results::latency,
        why: "",
    },
    Goal {
        what: "cleansing JSON with the SDK's editor, of the function with serde_json::Value",
        bound: Bound::AtMost(0.5),
        unit: "x",
        measured: |all| all.lines("json")?.iter().find_map(|line| line["to_native_tree"].as_f64()),
        why: "",
    },
    Goal {
        what: "memory at full speed, 100 B, most that was resident",
        bound: Bound::AtMost(128.0),
        unit: " MiB",
        measured: |all| all.run("e2e-peers", 100, "wasmill", "peak_mib"),
        why: "",
    },
    Goal {
        what: "memory, one idle pipeline",
        bound: Bound::AtMost(32.0),
        unit: " MiB",
        measured: |all| middle(all.get("start")?["samples"].as_array()?, "idle_mib"),
        why: "two thirds are pages of the program's own file, shared by all hosts of a machine",
    },
    Goal {
        what: "start to the first record, beyond the join of the group",
        bound: Bound::AtMost(150.0),
        unit: " ms",
        measured: Results::start,
        why: "",
    },
    Goal {
        what: "gap at a swap, p99, under full load",
        bound: Bound::AtMost(1.0),
        unit: " ms",
        measured: |all| all.get("swap")?["gaps"]["gap"]["p99_ms"].as_f64(),
        why: "no processor is to spare: without a swap, a moment at random falls into a gap as long (below)",
    },
    Goal {
        what: "gap at a swap, p99, at a steady rate",
        bound: Bound::AtMost(1.0),
        unit: " ms",
        measured: |all| all.get("swap-steady")?["gaps"]["gap"]["p99_ms"].as_f64(),
        why: "the lane waits for a processor, as it does without a swap: a moment at random falls into a gap as long (below)",
    },
    Goal {
        what: "records lost or doubled by swaps under full load",
        bound: Bound::AtMost(0.0),
        unit: "",
        measured: |all| {
            Some(all.get("swap")?["found"]["lost"].as_f64()? + all.get("swap")?["found"]["doubled"].as_f64()?)
        },
        why: "",
    },
    Goal {
        what: "resident memory behind 1,000 swaps, of that behind 500",
        bound: Bound::AtMost(1.05),
        unit: "x",
        measured: Results::memory_of_swaps,
        why: "",
    },
    Goal {
        what: "records per second while a module is compiled, of those in between",
        bound: Bound::AtLeast(0.9),
        unit: "x",
        measured: |all| Some(all.get("swap")?["rate_compiling"].as_f64()? / all.get("swap")?["rate_between"].as_f64()?),
        why: "on two cores the compiler has what broker, writer and host leave",
    },
    Goal {
        what: "CPU per record of 100 pipelines, of one with the same traffic",
        bound: Bound::AtMost(1.15),
        unit: "x",
        measured: Results::pipelines,
        why: "one pipeline gets the records in some 50 answers a second, a hundred in a hundred times as many: each costs, however few are in it; the broker pays for it as well (below)",
    },
    Goal {
        what: "host CPU for a document of Elasticsearch",
        bound: Bound::AtMost(3.0),
        unit: " us",
        measured: |all| all.sink("elasticsearch"),
        why: "",
    },
    Goal {
        what: "host CPU for a command of Redis",
        bound: Bound::AtMost(3.0),
        unit: " us",
        measured: |all| all.sink("redis"),
        why: "",
    },
];

/// The youngest of each series, by its name.
struct Results(BTreeMap<String, Value>);

impl Results {
    fn get(&self, series: &str) -> Option<&Value> {
        self.0.get(series)
    }

    fn lines(&self, series: &str) -> Option<&Vec<Value>> {
        self.get(series)?["lines"].as_array()
    }

    fn crossing(&self, answer: &str) -> Option<f64> {
        let wanted = |line: &&Value| {
            line["world"] == "columns"
                && line["reads"] == "values"
                && line["answer"] == answer
                && line["value_bytes"] == 100
        };
        self.lines("boundary")?.iter().find(wanted)?["call"]["p50"].as_f64()
    }

    fn over_columns(&self, answer: &str) -> Option<f64> {
        let ratios = self.get("boundary")?["ratios"].as_array()?;
        let wanted = |ratio: &&Value| ratio["answer"] == answer && ratio["value_bytes"] == 100;
        ratios.iter().find(wanted)?["records_over_columns"].as_f64()
    }

    /// The runs of a program without compression.
    fn runs(&self, series: &str, size: u64, peer: &str, delivery: &str) -> Option<&Vec<Value>> {
        let wanted = |line: &&Value| {
            line["shape"] == "identity"
                && line["codec"] == "none"
                && line["size"] == size
                && line["peer"] == peer
                && line["delivery"] == delivery
        };
        self.lines(series)?.iter().find(wanted)?["samples"].as_array()
    }

    fn run(&self, series: &str, size: u64, peer: &str, figure: &str) -> Option<f64> {
        middle(self.runs(series, size, peer, "at-least-once")?, figure)
    }

    /// A figure of one program over that of another.
    fn over(&self, series: &str, size: u64, one: &str, other: &str, figure: &str) -> Option<f64> {
        let [one, other] = [one, other].map(|peer| self.runs(series, size, peer, "at-least-once"));
        ratio(one?, other?, figure)
    }

    fn exactly_once(&self) -> Option<f64> {
        let [once, least] =
            ["exactly-once", "at-least-once"].map(|delivery| self.runs("e2e-delivery", 100, "wasmill", delivery));
        ratio(once?, least?, "records_per_second")
    }

    fn latency(&self) -> Option<f64> {
        let p99 = |peer: &str| {
            let wanted = |line: &&Value| line["peer"] == peer && line["rate"] == 1000 && line["linger_ms"] == 0;
            middle(self.lines("latency")?.iter().find(wanted)?["samples"].as_array()?, "p99")
        };
        Some(p99("wasmill")? / p99("raw")?)
    }

    fn start(&self) -> Option<f64> {
        let samples = self.get("start")?["samples"].as_array()?.iter();
        let beyond = samples.map(|sample| Some(sample["first_ms"].as_f64()? - sample["join_ms"].as_f64()?));
        Some(Middle::of(beyond.collect::<Option<_>>()?)?.median)
    }

    fn memory_of_swaps(&self) -> Option<f64> {
        let swaps = self.get("swap-steady")?;
        let [_first, middle, end]: [f64; 3] = serde_json::from_value(swaps["memory_mib"].clone()).ok()?;
        (swaps["swaps"].as_u64()? >= 1000).then_some(end / middle)
    }

    fn pipelines(&self) -> Option<f64> {
        let cpu = |pipelines: u64| {
            let wanted = |line: &&Value| {
                line["pipelines"] == pipelines
                    && line["lanes"] == 1
                    && line["partitions"] == 4
                    && line["wait_ms"].as_u64().unwrap_or(0) == 0
            };
            middle(self.lines("scale")?.iter().find(wanted)?["samples"].as_array()?, "cpu")
        };
        Some(cpu(100)? / cpu(1)?)
    }

    fn sink(&self, sink: &str) -> Option<f64> {
        middle(self.lines("sinks")?.iter().find(|line| line["sink"] == sink)?["samples"].as_array()?, "cpu")
    }
}

fn middle(samples: &[Value], figure: &str) -> Option<f64> {
    let numbers = samples.iter().map(|sample| sample[figure].as_f64()).collect::<Option<_>>()?;
    Some(Middle::of(numbers)?.median)
}

/// Median of the ratios of runs of the same round.
fn ratio(one: &[Value], other: &[Value], figure: &str) -> Option<f64> {
    let ratios = one.iter().filter_map(|run| {
        let beside = other.iter().find(|beside| beside["round"] == run["round"])?;
        Some(run[figure].as_f64()? / beside[figure].as_f64()?)
    });
    Some(Middle::of(ratios.collect())?.median)
}

/// The table.
///
/// # Errors
/// A file of results cannot be read.
pub(super) fn table(results: &Path) -> anyhow::Result<String> {
    let mut all = BTreeMap::new();
    for bench in BENCHES {
        for (series, file) in youngest(results, bench)? {
            all.insert(series, read::<Value>(&file)?.report);
        }
    }
    let results = Results(all);
    let head = ["", "wanted", "measured", "reached"].map(str::to_owned).to_vec();
    Ok(markdown(&std::iter::once(head).chain(GOALS.iter().map(|goal| row(goal, &results))).collect::<Vec<_>>()))
}

fn row(goal: &Goal, results: &Results) -> Vec<String> {
    let Goal { what, bound, unit, measured, why } = goal;
    let wanted = match bound {
        Bound::AtMost(most) => format!("at most {most}{unit}"),
        Bound::AtLeast(least) => format!("at least {least}{unit}"),
    };
    let measured = measured(results);
    let said = measured.map_or_else(|| "not yet".into(), |figure| format!("{}{unit}", rounded(figure)));
    let reached = match measured {
        None => String::new(),
        Some(figure) if bound.holds(figure) => "yes".into(),
        Some(_) if why.is_empty() => "**no**".into(),
        Some(_) => format!("**no**: {why}"),
    };
    vec![(*what).to_owned(), wanted, said, reached]
}

fn rounded(figure: f64) -> String {
    match figure {
        0.0 => "0".into(),
        ..10.0 => format!("{figure:.2}"),
        _ => format!("{figure:.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(series: &str, text: &str) -> Results {
        Results(BTreeMap::from([(series.to_owned(), serde_json::from_str(text).unwrap())]))
    }

    #[test]
    fn ratios_are_of_the_same_round() {
        let line = |peer: &str, samples: &str| {
            format!(
                r#"{{"shape":"identity","size":100,"codec":"none","peer":"{peer}","delivery":"at-least-once","samples":[{samples}]}}"#
            )
        };
        let ours = line("wasmill", r#"{"round":1,"cpu":1},{"round":2,"cpu":30},{"round":3,"cpu":3}"#);
        let raw = line("raw", r#"{"round":2,"cpu":10},{"round":1,"cpu":4}"#);
        let all = results("e2e-peers", &format!(r#"{{"lines":[{ours},{raw}]}}"#));
        assert_eq!(all.over("e2e-peers", 100, "wasmill", "raw", "cpu"), Some(f64::midpoint(0.25, 3.0)));
        assert_eq!(all.over("e2e-peers", 1000, "wasmill", "raw", "cpu"), None);
    }

    #[test]
    fn a_row_says_whether_it_is_reached_and_else_why() {
        let goal = |why| Goal {
            what: "w",
            bound: Bound::AtMost(32.0),
            unit: " MiB",
            measured: |all| middle(all.get("start")?["samples"].as_array()?, "idle_mib"),
            why,
        };
        let of = |idle: u32| results("start", &format!(r#"{{"samples":[{{"idle_mib":{idle}}}]}}"#));
        assert_eq!(row(&goal("y"), &of(32)), ["w", "at most 32 MiB", "32.0 MiB", "yes"]);
        assert_eq!(row(&goal("y"), &of(33)), ["w", "at most 32 MiB", "33.0 MiB", "**no**: y"]);
        assert_eq!(row(&goal("y"), &Results(BTreeMap::new())), ["w", "at most 32 MiB", "not yet", ""]);
    }
}
