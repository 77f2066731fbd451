use super::*;

fn module(version: &str, bytes: &[u8]) -> ModuleRow {
    let description =
        Description { name: "m".into(), version: version.into(), summary: String::new(), settings: vec![] };
    ModuleRow {
        id: ModuleId { name: "m".into(), version: version.into(), digest: Digest::of(bytes).to_string() },
        uploaded_at: "2026-01-01T00:00:00Z".into(),
        description,
        world: "columns".into(),
        imports: vec![],
        bytes: bytes.len(),
    }
}

fn release(id: u64) -> ReleaseRow {
    ReleaseRow {
        pipeline: "p".into(),
        id,
        module: module("1", b"a").id,
        spec: format!("spec {id}"),
        config: (id == 2).then(|| BTreeMap::from([("k".into(), "v".into())])),
        state: ReleaseState::Live,
        reason: None,
        created_at: "2026-01-01T00:00:00Z".into(),
        began: BTreeMap::new(),
    }
}

#[test]
fn what_was_said_is_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = Store::open(folder.path()).expect("a store");
    assert_eq!(store.put_module(&module("1", b"a"), b"a").expect("kept"), None);
    store.go_live(&release(1), "/base", Some("text")).expect("live");
    store.go_live(&release(2), "/base", None).expect("live");
    let began = |offset| Began { pipeline: "p".into(), release: 2, topic: "t".into(), partition: 3, offset };
    store.began(&began(42)).expect("noted");
    store.began(&began(50)).expect("noted");
    store.set_paused("p", true).expect("paused");
    drop(store);

    // A torn write leaves a temporary file behind, and that is all.
    std::fs::write(folder.path().join("modules/.module-torn"), b"half").expect("written");
    let store = Store::open(folder.path()).expect("a store");
    let releases = store.releases("p").expect("releases");
    let states: Vec<_> = releases.iter().map(|release| (release.id, release.state)).collect();
    assert_eq!(states, [(2, ReleaseState::Live), (1, ReleaseState::Retired)]);
    assert_eq!(releases[0].began, BTreeMap::from([("t".into(), BTreeMap::from([(3, 42)]))]));
    assert_eq!(releases[0].config, Some(BTreeMap::from([("k".into(), "v".into())])));
    let pipeline = store.pipeline("p").expect("rows").expect("the pipeline");
    assert_eq!((pipeline.spec.as_str(), pipeline.paused), ("spec 2", true));
    assert_eq!(pipeline.applied.as_deref(), Some("text"), "a swap applies no text");
    assert_eq!(store.next_release("p").expect("a number"), 3);
    assert_eq!(store.module_bytes(&module("1", b"a").id.digest).expect("bytes"), b"a");
}

#[test]
fn a_version_keeps_its_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = Store::open(folder.path()).expect("a store");
    store.put_module(&module("1", b"a"), b"a").expect("kept");
    assert_eq!(store.put_module(&module("1", b"a"), b"a").expect("the same again"), None);
    let existing = store.put_module(&module("1", b"b"), b"b").expect("an answer");
    assert_eq!(existing, Some(Digest::of(b"a").to_string()));
}

#[test]
fn a_damaged_module_is_not_handed_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = Store::open(folder.path()).expect("a store");
    let row = module("1", b"a");
    store.put_module(&row, b"a").expect("kept");
    std::fs::write(store.module_path(&row.id.digest), b"b").expect("written");
    assert!(store.module_bytes(&row.id.digest).expect_err("damaged").to_string().contains("damaged"));
}

#[test]
fn a_data_directory_belongs_to_one_host() {
    let folder = tempfile::tempdir().expect("a folder");
    let _store = Store::open(folder.path()).expect("a store");
    assert!(matches!(Store::open(folder.path()), Err(StoreError::Locked(_))));
}

#[test]
fn a_deleted_pipeline_takes_its_releases_along() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = Store::open(folder.path()).expect("a store");
    store.go_live(&release(1), "/base", Some("text")).expect("live");
    store.delete_pipeline("p").expect("deleted");
    assert_eq!(store.releases("p").expect("releases"), []);
    assert_eq!(store.pipelines().expect("pipelines"), []);
}

#[test]
fn a_patched_text_is_that_of_the_live_release_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = Store::open(folder.path()).expect("a store");
    store.go_live(&release(1), "/base", Some("text")).expect("live");
    store.go_live(&release(2), "/base", None).expect("live");
    store.set_spec("p", "patched").expect("changed");
    let specs: Vec<_> = store.releases("p").expect("releases").into_iter().map(|release| release.spec).collect();
    assert_eq!(specs, ["patched", "spec 1"]);
    let pipeline = store.pipeline("p").expect("rows").expect("the pipeline");
    assert_eq!((pipeline.spec.as_str(), pipeline.applied.as_deref()), ("patched", Some("text")));
}

#[test]
fn saved_batches_are_bounded_and_go_with_their_pipeline() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = Store::open(folder.path()).expect("a store");
    store.go_live(&release(1), "/base", None).expect("live");
    let batch = |name: &str, input: &str| BatchRow {
        name: name.into(),
        input: input.into(),
        records: 1,
        saved_at: "2026-01-01T00:00:00Z".into(),
    };
    assert!(store.put_batch("p", &batch("b", "old")).expect("kept"));
    assert!(store.put_batch("p", &batch("b", "new")).expect("replaced"));
    assert_eq!(store.batch("p", "b").expect("rows").map(|batch| batch.input), Some("new".into()));
    assert!(store.delete_batch("p", "b").expect("deleted"));
    assert!(!store.delete_batch("p", "b").expect("gone already"));
    for number in 0..batches::BATCHES_MAX {
        assert!(store.put_batch("p", &batch(&number.to_string(), "x")).expect("kept"));
    }
    assert!(!store.put_batch("p", &batch("one more", "x")).expect("an answer"));
    assert!(store.put_batch("p", &batch("0", "y")).expect("replaced"));
    store.delete_pipeline("p").expect("deleted");
    assert_eq!(store.batches("p").expect("rows"), []);
}

/// A file of the first version of the tables, as earlier programs made it.
#[test]
fn an_earlier_file_is_brought_up_to_date() {
    let folder = tempfile::tempdir().expect("a folder");
    let db = Connection::open(folder.path().join("state.db")).expect("a file");
    db.execute_batch(&format!("BEGIN; {TABLES} PRAGMA user_version = 1; COMMIT;")).expect("tables");
    db.execute("INSERT INTO pipelines (name, spec, base) VALUES ('p', 'old', '/base')", []).expect("a pipeline");
    drop(db);
    let store = Store::open(folder.path()).expect("a store");
    let pipeline = store.pipeline("p").expect("rows").expect("the pipeline");
    assert_eq!((pipeline.spec.as_str(), pipeline.applied), ("old", None));
    assert_eq!(store.batches("p").expect("rows"), []);
    drop(store);
    Store::open(folder.path()).expect("a file that is up to date");
}
