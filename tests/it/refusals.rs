//! What is wrong is refused with a clear answer, and what runs goes on.

use e2e::{Answer, Host, Topic, guest, services, wait_until};

fn refused(answer: &Answer, code: &str, words: &str) {
    assert_eq!(answer.code, 5, "{answer:?}");
    assert_eq!(answer.json["code"], code, "{answer:?}");
    let status = answer.json["status"].as_u64().expect("a status");
    assert!((400..500).contains(&status), "{answer:?}");
    let detail = answer.json["detail"].as_str().unwrap_or_default();
    assert!(detail.contains(words), "{detail:?} does not say {words:?}");
}

#[test]
fn bad_modules_are_refused_and_records_keep_flowing() {
    let (from, to, host) = (Topic::new("in"), Topic::new("out"), Host::start());
    host.cli(&["push", &guest("identity"), "identity@1"]).ok();
    let kafka = &services().kafka;
    let yaml = format!(
        "pipeline: steady\n\
         source: {{ kafka: {{ brokers: [\"{kafka}\"], topics: [{}] }} }}\n\
         module: {{ ref: identity@1, limits: {{ time: 300ms }} }}\n\
         routes: {{ out: [out] }}\n\
         sinks: {{ out: {{ kafka: {{ topic: {} }} }} }}\n",
        from.name, to.name
    );
    host.apply("steady", &yaml).ok();
    from.write(0, (0..100).map(|number| number.to_string()));
    to.read(100);

    let garbage = host.folder.path().join("garbage.wasm");
    std::fs::write(&garbage, "no module").expect("written");
    refused(&host.cli(&["push", &garbage.display().to_string(), "garbage@1"]), "not-wasm", "text that begins with");
    refused(&host.cli(&["push", &guest("other-world"), "other@1"]), "wrong-world", "wasmill:transform/meta@0.1.0");
    refused(&host.cli(&["push", &guest("wants-secrets"), "wants@1"]), "unknown-import", "example:secrets/store");
    refused(&host.cli(&["push", &guest("filter"), "identity@1"]), "module-exists", "another version");

    host.cli(&["push", &guest("evil"), "evil@1"]).ok();
    let deploy = |mode: &str| host.cli(&["deploy", "steady", "evil@1", "--config", &format!("mode={mode}")]);
    refused(&deploy("init-error"), "module-does-not-start", "told to refuse; release 1 stays live");
    refused(&deploy("init-spin"), "module-does-not-start", "`limits.time` of 300ms");
    refused(&deploy("smoke-spin"), "smoke-call-failed", "`limits.time` of 300ms; release 1 stays live");
    refused(&deploy("smoke-trap"), "smoke-call-failed", "told to panic on every call");
    let log_clean = host.cli(&["push", &guest("log-clean"), "log-clean@1"]);
    assert_eq!(log_clean.code, 0);
    refused(&host.cli(&["deploy", "steady", "log-clean@1"]), "routes-do-not-fit", "route `clean`");
    let missing = host.cli(&["deploy", "steady", "nothing@1"]);
    assert_eq!((missing.code, missing.json["code"].as_str()), (4, Some("not-found")), "{missing:?}");

    from.write(100, (100..200).map(|number| number.to_string()));
    assert_eq!(to.read(200).len(), 200);
    let status = host.status("steady");
    assert_eq!((status["state"].as_str(), status["release"].as_u64()), (Some("running"), Some(1)), "{status}");
    assert_eq!(status["rebalances"], 1);
}

#[test]
fn rollback_pause_and_invoke_do_what_they_say() {
    let (from, to, host) = (Topic::new("in"), Topic::new("out"), Host::start());
    host.cli(&["push", &guest("log-clean"), "log-clean@1"]).ok();
    let kafka = &services().kafka;
    let yaml = format!(
        "pipeline: steer\n\
         source: {{ kafka: {{ brokers: [\"{kafka}\"], topics: [{}] }} }}\n\
         module: {{ ref: log-clean@1, config: {{ mark: v1 }} }}\n\
         routes: {{ clean: [out] }}\n\
         sinks: {{ out: {{ kafka: {{ topic: {} }} }} }}\n",
        from.name, to.name
    );
    host.apply("steer", &yaml).ok();
    host.cli(&["deploy", "steer", "--config", "mark=v2"]).ok();
    let batch = host.folder.path().join("batch.ndjson");
    std::fs::write(&batch, "{\"value\":{\"a\":1}}\n{\"value\":\"no json\"}\n").expect("written");
    let invoked = host.cli(&["invoke", "steer", "--input", &batch.display().to_string()]).ok();
    assert_eq!(invoked["records"][0]["value"], r#"{"a":1,"mark":"v2"}"#, "{invoked}");
    assert!(invoked["records"][1]["rejected"].as_str().is_some_and(|reason| reason.contains("not a JSON object")));

    let status = host.cli(&["rollback", "steer"]).ok();
    assert_eq!(status["release"], 3);
    from.write(0, (0..10).map(|_| "{}".to_string()));
    assert!(to.read(10).iter().all(|record| record.value.as_deref() == Some(r#"{"mark":"v1"}"#)));

    assert_eq!(host.cli(&["pause", "steer"]).ok()["state"], "paused");
    from.write(10, (10..20).map(|_| "{}".to_string()));
    assert_eq!(host.cli(&["resume", "steer"]).ok()["state"], "running");
    to.read(20);
    wait_until("no lag", || host.status("steer")["lag"] == 0);

    let mistakes = host.apply("steer", "pipeline: steer\nsource: {}\nrutes: {}\n");
    assert_eq!((mistakes.code, mistakes.json["code"].as_str()), (5, Some("bad-config")), "{mistakes:?}");
    assert!(mistakes.json["problems"].as_array().is_some_and(|problems| !problems.is_empty()));
    assert_eq!(host.status("steer")["release"], 3);
}
