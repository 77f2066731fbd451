use super::*;
use crate::config::{BulkPolicy, ElasticsearchSink, Versions};

fn nodes(urls: &[&str]) -> Nodes {
    let sink = ElasticsearchSink {
        urls: urls.iter().map(ToString::to_string).collect(),
        index: "i".parse().expect("a template"),
        auth: None,
        id: None,
        op: None,
        versions: Versions::Module,
        batch: BulkPolicy::default(),
        workers: 1,
        ca: None,
        timeout: Duration::from_secs(1),
    };
    Nodes::new(&sink).expect("nodes")
}

#[test]
fn nodes_take_turns_and_one_that_failed_rests_longer_each_time() {
    let mut nodes = nodes(&["http://a:1", "http://b:1", "http://c:1"]);
    let begin = Instant::now();
    let at = |seconds| begin + Duration::from_secs(seconds);
    assert_eq!([(); 4].map(|()| nodes.next(begin)), [0, 1, 2, 0]);
    nodes.note(1, false, begin);
    assert_eq!([(); 3].map(|()| nodes.next(begin)), [2, 0, 2]);
    assert_eq!([(); 3].map(|()| nodes.next(at(1))), [0, 1, 2], "a second is over");
    nodes.note(1, false, at(1));
    assert_eq!([(); 3].map(|()| nodes.next(at(2))), [0, 2, 0], "now it is two");
    nodes.note(1, true, at(2));
    assert_eq!([(); 3].map(|()| nodes.next(at(2))), [1, 2, 0]);
}

#[test]
fn where_all_rest_the_one_that_has_rested_longest_is_tried() {
    let mut nodes = nodes(&["http://a:1", "http://b:1"]);
    let begin = Instant::now();
    nodes.note(1, false, begin);
    nodes.note(0, false, begin + Duration::from_millis(1));
    assert_eq!(nodes.next(begin), 1);
    assert_eq!(nodes.next(begin), 1);
}

#[test]
fn a_node_rests_a_minute_at_most() {
    let mut nodes = nodes(&["http://a:1", "http://b:1"]);
    let begin = Instant::now();
    (0..100).for_each(|_| nodes.note(0, false, begin));
    assert_eq!(nodes.nodes[0].rests_until, Some(begin + REST_TO));
}
