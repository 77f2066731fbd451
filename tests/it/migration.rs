//! From one cluster to another by a double write, as docs/migration.md tells it.

use std::fs;

use e2e::{Example, Host, OwnKafka, SASL_USER, Topic, root, services, unique, wait_until};
use serde_json::json;

use crate::verify::{counts, side, verify};

fn double_write(intake: &Topic, new: &str) -> Example {
    Example::new("double-write")
        .set("INTAKE", &services().kafka)
        .set("OLD", &services().kafka)
        .set("NEW", new)
        .set("TOPICS", &intake.name)
}

/// An intake in the shared cluster, and the name of the topic that it is of.
fn intake() -> (Topic, String) {
    let name = unique("orders");
    (Topic::named(&format!("{name}.in")), name)
}

#[test]
fn a_pipeline_for_each_cluster_waits_for_no_other() {
    const RECORDS: u64 = 150_000;
    let new = OwnKafka::start();
    let (intake, name) = intake();
    let of = |file: &str| {
        let text = fs::read_to_string(root().join("guest-examples/double-write").join(file)).expect("a file");
        let both = double_write(&intake, &new.brokers);
        let named = unique(file.trim_end_matches(".yaml"));
        let text = text.replace(
            &format!("pipeline: double-write-{}", file.trim_end_matches(".yaml")),
            &format!("pipeline: {named}"),
        );
        fs::write(&both.file, text).expect("written");
        (both, named)
    };
    let ((old_file, old), (new_file, other)) = (of("old.yaml"), of("new.yaml"));
    let host = Host::run(&[old_file.file.clone(), new_file.file.clone()], new_file.variables());
    intake.write(0, (0..1000).map(|number| number.to_string()));
    wait_until("the first", || host.through(&old) == 1000 && host.through(&other) == 1000);
    new.kill();
    intake.write(1000, (1000..RECORDS).map(|number| number.to_string()));
    wait_until("all in the old cluster", || host.through(&old) == RECORDS);
    assert!(host.through(&other) < RECORDS);
    new.restart();
    wait_until("all in the new one", || host.through(&other) == RECORDS);
    let answer = verify(&side(&services().kafka, &name), &side(&new.brokers, &name), &["--same-partitions"]).0;
    assert_eq!(counts(&answer.ok()), [RECORDS, 0, 0, 0, 0]);
}

/// The line of a log that says why.
#[track_caller]
fn one_line(said: &str, words: &[&str]) {
    let lines = said.lines().filter(|line| words.iter().all(|word| line.contains(word))).count();
    assert_eq!(lines, 1, "{words:?} in: {said}");
}

#[test]
fn wrong_clusters_are_said_in_a_line_before_anything_is_consumed() {
    let (intake, _) = intake();
    intake.write(0, (0..100).map(|number| number.to_string()));
    let secured = OwnKafka::start();
    let login = |password: &str| {
        format!(
            "properties: {{ security.protocol: SASL_PLAINTEXT, sasl.mechanism: PLAIN, sasl.username: {}, \
             sasl.password: {password} }}",
            SASL_USER.0
        )
    };
    let with_login = |password: &str| {
        let sink = "brokers: [\"${NEW:-127.0.0.1:9093}\"]\n";
        let example = double_write(&intake, &secured.sasl);
        example.replace(sink, &format!("{sink}      {}\n", login(password)))
    };
    let nothing_read = |host: &Host, example: &Example| {
        let status = host.status(&example.name);
        assert_eq!((&status["partitions"], &status["records"]["in"]), (&json!({}), &json!(0)), "{status}");
    };

    // Of a sink: nobody there, a host that does not exist, a wrong password.
    for (brokers, words) in [("127.0.0.1:9", "refused"), ("nobody.invalid:9092", "nobody.invalid:9092")] {
        let nobody = double_write(&intake, brokers);
        let host = nobody.run();
        wait_until("the state", || host.status(&nobody.name)["state"] == "stalled");
        let reason = host.status(&nobody.name)["reason"].as_str().expect("a reason").to_owned();
        assert!(reason.starts_with("sink `new`: ") && reason.contains(words), "{reason}");
        one_line(&host.log(), &["WARN", "nothing is read before every sink answers", words]);
        nothing_read(&host, &nobody);
    }
    let wrong = with_login("wrong");
    let host = wrong.run();
    wait_until("the refusal", || host.status(&wrong.name)["state"] == "failed");
    let reason = host.status(&wrong.name)["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.starts_with("sink `new`: ") && reason.contains("Invalid username or password"), "{reason}");
    one_line(&host.log(), &["ERROR", "pipeline failed", "Invalid username or password"]);
    nothing_read(&host, &wrong);
    let right = with_login(SASL_USER.1);
    let host = right.run();
    wait_until("the records", || host.through(&right.name) == 100);

    // Of the source: the same.
    let nobody = double_write(&intake, &secured.brokers).replace("${INTAKE:-127.0.0.1:9092}", "127.0.0.1:9");
    let host = nobody.run();
    wait_until("the state", || host.status(&nobody.name)["state"] == "stalled");
    let reason = host.status(&nobody.name)["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.starts_with("source: ") && reason.contains("refused"), "{reason}");
    let login = login("wrong");
    let wrong = double_write(&intake, &secured.brokers)
        .replace("brokers: [\"${INTAKE:-127.0.0.1:9092}\"]", &format!("{login}, brokers: [\"{}\"]", secured.sasl));
    let host = wrong.run();
    wait_until("the refusal", || host.status(&wrong.name)["state"] == "failed");
    let reason = host.status(&wrong.name)["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.starts_with("source: ") && reason.contains("Invalid username or password"), "{reason}");
    nothing_read(&host, &wrong);

    // A topic that is no intake stops the pipeline.
    let plain = Topic::new("orders");
    plain.write(0, ["x".to_owned()].into_iter());
    let stray = double_write(&plain, &secured.brokers);
    let host = stray.run();
    wait_until("the refusal", || host.status(&stray.name)["state"] == "failed");
    let reason = host.status(&stray.name)["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.contains("is no intake"), "{reason}");
}
