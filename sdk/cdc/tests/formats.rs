//! Messages as the formats' documents show them, and awkward values through all three formats.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use proptest::prelude::*;
use serde_json::json;
use wasmill_cdc::{Change, Error, Format, Op, Reader, Record};

fn read(format: Format, key: Option<&str>, value: &str, offset: u64) -> Result<Vec<Change>, Error> {
    let record = Record { key: key.map(str::as_bytes), value: Some(value.as_bytes()), offset };
    Reader::new(format).with_key("test.e", ["id"]).read(&record)
}

fn one(format: Format, key: Option<&str>, value: &str) -> Change {
    let mut changes = read(format, key, value, 0).unwrap();
    assert_eq!(changes.len(), 1);
    changes.remove(0)
}

#[test]
fn maxwell_tells_the_row_before_and_the_key_before() {
    let update = r#"{"database":"test","table":"E","type":"update","ts":1477053234,"xid":23515,"commit":true,
        "position":"master.000006:800911","data":{"Id":2,"m":5.4440,"c":"0000-00-00","u":18446744073709551615,"s":["a"]},
        "old":{"Id":1,"m":4.2341}}"#;
    // Maxwell writes the columns of its keys in lower case.
    let change = one(Format::Maxwell, Some(r#"{"database":"test","table":"E","pk.id":2}"#), update);
    assert_eq!((change.op, change.time), (Op::Update, 1_477_053_234_000));
    assert_eq!(change.key.id('|').as_deref(), Some("2"));
    assert_eq!(change.key_before().unwrap().id('|').as_deref(), Some("1"));
    let before = change.before.unwrap();
    assert_eq!(
        (before.raw("m"), before.raw("c"), before.raw("u")),
        (Some("4.2341"), Some("\"0000-00-00\""), Some("18446744073709551615"))
    );
    assert_eq!(change.row.raw("m"), Some("5.4440"));
}

#[test]
fn maxwell_bootstraps_and_schemas() {
    let start = r#"{"database":"test","table":"e","type":"bootstrap-start","ts":1450557744,"data":{}}"#;
    let insert = r#"{"database":"test","table":"e","type":"bootstrap-insert","ts":1450557744,"data":{"id":1}}"#;
    let alter = r#"{"type":"table-alter","database":"test","table":"e","old":{},"def":{},"ts":1477053308000,"sql":"alter table e"}"#;
    assert_eq!(one(Format::Maxwell, None, start).op, Op::Marker);
    let snapshot = one(Format::Maxwell, None, insert);
    assert_eq!((snapshot.op, snapshot.version), (Op::Snapshot, 0));
    let schema = one(Format::Maxwell, None, alter);
    assert_eq!((schema.op, schema.time), (Op::Schema, 1_477_053_308_000));
}

#[test]
fn maxwell_versions_grow_along_the_binlog() {
    let version = |position: &str, rest: &str| {
        let text = format!(
            r#"{{"database":"test","table":"e","type":"insert","ts":1,"position":"{position}",{rest}"data":{{"id":1}}}}"#
        );
        one(Format::Maxwell, None, &text).version
    };
    let versions = [
        version("b.000006:800911", r#""xoffset":0,"#),
        version("b.000006:800911", r#""xoffset":1,"#),
        version("b.000006:800911", r#""commit":true,"#),
        version("b.000006:800960", r#""xoffset":0,"#),
        version("b.000006:4294967295", r#""commit":true,"#),
        version("b.000007:4", r#""xoffset":0,"#),
        version("b.1048575:4294967295", r#""commit":true,"#),
    ];
    assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
    assert!(versions.iter().all(|version| version % 2 == 0 && *version < 1 << 63));
}

#[test]
fn canal_has_rows_of_texts() {
    let text = r#"{"data":[{"id":"18446744073709551615","w":"5.180","b":"ÿ\u0000","j":"{\"a\": 1.0}","s":"a,b","t":"007","n":null},
        {"id":"2","w":"1.10","b":null,"j":null,"s":"","t":"é😀","n":null}],
        "database":"test","es":1589373560000,"id":9,"isDdl":false,
        "mysqlType":{"id":"bigint(20) unsigned","w":"decimal(10,3)","b":"blob","j":"json","s":"set('a','b')","t":"varchar(9)","n":"int"},
        "old":[{"w":"5.150"},{"id":"1"}],"pkNames":["id"],"sql":"","sqlType":{"id":-5},"table":"e","ts":1589373560798,"type":"UPDATE"}"#;
    let changes = read(Format::Canal, None, text, 3).unwrap();
    let row = serde_json::to_string(&changes[0].row).unwrap();
    assert_eq!(
        row,
        r#"{"id":18446744073709551615,"w":5.180,"b":"/wA=","j":{"a": 1.0},"s":["a","b"],"t":"007","n":null}"#
    );
    assert_eq!(changes[0].before.as_ref().unwrap().raw("w"), Some("5.150"));
    assert_eq!(changes[1].key_before().unwrap().raw("id"), Some("1"));
    assert_eq!((changes[1].row.raw("s"), changes[1].row.raw("t")), (Some("[]"), Some("\"é😀\"")));
    assert!(changes[0].version < changes[1].version);
    assert!(changes[1].version < read(Format::Canal, None, text, 4).unwrap()[0].version);
}

fn debezium(op: &str, before: serde_json::Value, after: serde_json::Value) -> String {
    let fields = json!([
        {"field":"id","type":"int64"},
        {"field":"m","type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"2"}},
        {"field":"d","type":"int32","name":"io.debezium.time.Date"},
        {"field":"t","type":"int64","name":"io.debezium.time.MicroTimestamp"},
        {"field":"b","type":"bytes","name":"io.debezium.data.Bits","parameters":{"length":"12"}},
        {"field":"j","type":"string","name":"io.debezium.data.Json"}]);
    let schema = json!({"type":"struct","fields":[
        {"field":"before","type":"struct","fields":fields},{"field":"after","type":"struct","fields":fields}]});
    let source =
        json!({"db":"test","table":"e","file":"mysql-bin.000003","pos":484,"row":0,"ts_ms":1_465_491_411_815_i64});
    json!({"schema":schema,"payload":{"op":op,"before":before,"after":after,"source":source,"ts_ms":1}}).to_string()
}

#[test]
fn debezium_values_mean_what_their_schema_says() {
    let row = json!({"id":1,"m":"A+c=","d":16860,"t":-1,"b":"AQg=","j":"{\"a\": 1.0}"});
    let change = one(Format::Debezium, Some(r#"{"id":1}"#), &debezium("c", json!(null), row.clone()));
    let expected = json!({"id":1,"m":9.99,"d":"2016-02-29","t":"1969-12-31 23:59:59.999999","b":2049,"j":{"a":1.0}});
    assert_eq!(serde_json::to_value(&change.row).unwrap(), expected);
    assert_eq!((change.op, change.time), (Op::Insert, 1_465_491_411_815));
    let delete = one(Format::Debezium, Some(r#"{"schema":{},"payload":{"id":1}}"#), &debezium("d", row, json!(null)));
    assert_eq!((delete.op, delete.row.raw("m")), (Op::Delete, Some("9.99")));
    let bare = r#"{"op":"r","after":{"id":1},"source":{"db":"test","table":"e","ts_ms":5}}"#;
    assert_eq!(one(Format::Debezium, None, bare).op, Op::Snapshot);
    assert_eq!(Reader::new(Format::Debezium).read(&Record { key: None, value: None, offset: 0 }), Ok(vec![]));
}

#[test]
fn errors_say_what_is_missing() {
    let says = |format, text: &str| read(format, None, text, 0).unwrap_err().to_string();
    let text = r#"{"type":"insert","database":"test","table":"other","data":{"id":1}}"#;
    assert!(says(Format::Maxwell, text).starts_with("primary key of test.other is not known"));
    let text = r#"{"type":"insert","database":"test","table":"e","data":{"x":1}}"#;
    assert_eq!(says(Format::Maxwell, text), "row of test.e has no column `id`, which is part of its primary key");
    assert_eq!(says(Format::Maxwell, r#"{"type":"insert","database":"test"}"#), "maxwell: field `table` is missing");
    assert!(
        says(Format::Maxwell, r#"{"type":"explode"}"#).starts_with("maxwell: field `type` is explode, expected insert")
    );
    assert_eq!(says(Format::Canal, r#"{"type":"INSERT","database":"d"}"#), "canal: field `es` is missing");
    let text = debezium("c", json!(null), json!({"id":1,"m":"?"}));
    assert_eq!(says(Format::Debezium, &text), "debezium: field `m` is \"?\", expected base64 of an unscaled decimal");
}

proptest! {
    #[test]
    fn awkward_values_survive(number: u64, decimal in "-?(0|[1-9][0-9]{0,40})\\.[0-9]{1,20}", text: String, bytes: Vec<u8>) {
        let text_json = serde_json::to_string(&text).unwrap();
        let maxwell = format!(r#"{{"type":"insert","database":"test","table":"e","ts":1,"data":{{"id":{number},"d":{decimal},"t":{text_json}}}}}"#);
        let latin: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        let types = json!({"id":"bigint unsigned","d":"decimal(60,20)","t":"text","b":"longblob"});
        let canal = json!({"type":"INSERT","database":"test","table":"e","es":1,"mysqlType":types,
            "data":[{"id":number.to_string(),"d":decimal,"t":text,"b":latin}]}).to_string();
        for (format, message) in [(Format::Maxwell, &maxwell), (Format::Canal, &canal)] {
            let change = one(format, None, message);
            let number = number.to_string();
            prop_assert_eq!(change.row.raw("id"), Some(number.as_str()));
            prop_assert_eq!(change.row.raw("d"), Some(decimal.as_str()));
            prop_assert_eq!(change.row.text("t"), Some(text.as_str().into()));
        }
        use base64::Engine;
        let blob = base64::engine::general_purpose::STANDARD.encode(&bytes);
        let change = one(Format::Canal, None, &canal);
        prop_assert_eq!(change.row.text("b"), Some(blob.into()));
    }

    #[test]
    fn two_keys_never_make_one_id(a in "[a|\\\\]{0,4}", b in "[a|\\\\]{0,4}", c in "[a|\\\\]{0,4}", d in "[a|\\\\]{0,4}") {
        let id = |x: &str, y: &str| {
            let row: wasmill_cdc::Row = serde_json::from_value(json!({"x": x, "y": y})).unwrap();
            row.id('|').unwrap()
        };
        prop_assert_eq!(id(&a, &b) == id(&c, &d), (&a, &b) == (&c, &d));
    }

    #[test]
    fn nothing_panics(text in "\\PC*", format in 0..3_usize) {
        drop(read([Format::Maxwell, Format::Canal, Format::Debezium][format], Some(&text), &text, u64::MAX));
    }
}
