//! Hosts that come and go: the group divides the partitions anew, and nothing is delivered twice for it.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use e2e::{Host, Topic, guest, services, wait_until};

/// Partitions that a host has now.
fn partitions(host: &Host, from: &Topic) -> usize {
    host.status("scale")["partitions"][&from.name].as_object().map_or(0, serde_json::Map::len)
}

#[test]
fn from_one_host_to_three_and_back_under_load() {
    const SHARE: u64 = 20_000;
    let (from, to) = (Topic::new("in"), Topic::new("out"));
    let yaml = format!(
        "pipeline: scale\n\
         source: {{ kafka: {{ brokers: [\"{}\"], topics: [{}], batch: {{ records: 200 }} }} }}\n\
         module: {{ ref: identity@1 }}\nroutes: {{ out: [out] }}\n\
         sinks: {{ out: {{ kafka: {{ topic: {} }} }} }}\n",
        services().kafka,
        from.name,
        to.name
    );
    let start = || {
        let host = Host::start();
        host.cli(&["push", &guest("identity"), "identity@1"]).ok();
        host.apply("scale", &yaml).ok();
        host
    };
    let ended = AtomicBool::new(false);
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            // The bound is for a test that fails.
            let mut number = 0;
            while !ended.load(Relaxed) && number < 100 * SHARE {
                number += from.write(number, (number..number + SHARE).map(|number| number.to_string()));
            }
            number
        });
        let first = start();
        wait_until("all partitions at the first", || partitions(&first, &from) == 4);
        let mut others = [start(), start()];
        wait_until("partitions for everybody", || {
            let counts = [partitions(&first, &from), partitions(&others[0], &from), partitions(&others[1], &from)];
            counts.iter().sum::<usize>() == 4 && !counts.contains(&0)
        });
        wait_until("records at everybody", || others.iter().chain([&first]).all(|host| host.through("scale") > SHARE));
        for host in &mut others {
            assert_eq!(host.terminate(), Some(0), "{}", host.log());
        }
        wait_until("all partitions back at the first", || partitions(&first, &from) == 4);
        ended.store(true, Relaxed);
        let written = writer.join().expect("the writer");
        wait_until("the end", || first.status("scale")["lag"] == 0);
        written
    });
    let mut times = vec![0; written as usize];
    let mut last: BTreeMap<(u64, i32), u64> = BTreeMap::new();
    for record in to.read_all() {
        let number: u64 = record.value.expect("a value").parse().expect("a number");
        times[number as usize] += 1;
        let before = last.insert((number % 4, record.partition), number);
        assert!(before < Some(number), "{number} after {before:?}");
    }
    let wrong: Vec<_> = times.iter().enumerate().filter(|(_, times)| **times != 1).take(10).collect();
    assert!(wrong.is_empty(), "number and how often it came: {wrong:?}");
}
