use super::*;

mod model;

fn edited(document: &str, edit: impl FnOnce(&mut Object<'_>)) -> String {
    let mut editor = Editor::default();
    let mut object = editor.object(document.as_bytes()).unwrap_or_else(|error| panic!("{document}: {error}"));
    edit(&mut object);
    let mut out = Vec::new();
    object.write(&mut out);
    String::from_utf8(out).expect("UTF-8")
}

fn refused(document: impl AsRef<[u8]>) -> String {
    Editor::default().object(document.as_ref()).map(drop).expect_err("refused").to_string()
}

#[test]
fn what_is_not_touched_is_copied_as_it_stands() {
    let document = "{ \"a\" :1.50e+3,\n\t\"b\\u0020\": [ 1 , {} , \"\\/\" ] , \"a\":\"\\ud83d\\ude00\" , \"ü\":null }";
    assert_eq!(edited(&format!("\n{document} \r\n"), |_| {}), document);
    let without = edited(document, |object| assert!(object.remove("b ")));
    assert_eq!(without, "{ \"a\" :1.50e+3 , \"a\":\"\\ud83d\\ude00\" , \"ü\":null }");
    // Looked into and not changed.
    assert_eq!(edited(document, |object| assert!(!object.remove("b .7"))), document);
}

#[test]
fn commas_stand_between_what_is_left() {
    let document = r#"{"a":1,"b":2,"c":3}"#;
    let without =
        |names: &str| edited(document, |object| names.split(' ').for_each(|name| assert!(object.remove(name))));
    for (names, left) in [
        ("a", r#"{"b":2,"c":3}"#),
        ("b", r#"{"a":1,"c":3}"#),
        ("c", r#"{"a":1,"b":2}"#),
        ("a b", r#"{"c":3}"#),
        ("c b", r#"{"a":1}"#),
        ("b c a", "{}"),
    ] {
        assert_eq!(without(names), left);
    }
    let replaced = edited(document, |object| {
        ["a", "b", "c"].iter().for_each(|name| assert!(object.remove(name)));
        assert!(object.set("d", 4) && object.set("e", true));
    });
    assert_eq!(replaced, r#"{"d":4,"e":true}"#);
    assert_eq!(edited("{ }", |object| assert!(object.set("a", "x"))), r#"{"a":"x" }"#);
}

#[test]
fn values_are_set_in_place_or_behind() {
    let set = edited(r#"{"a":1,"b":{"c":[1,2]}}"#, |object| {
        assert!(object.set("a", "quote \" back \\ line \n bell \u{7} ü"));
        assert!(object.set("b.c.0", -7_i64));
        assert!(object.set("b.c.2", 1.5));
        assert!(object.set("b.d", None::<bool>));
        assert!(object.set("n.e.w", Raw::new(" [ {} ] ").expect("JSON")));
        assert!(object.set("n.e.w.0.x", u64::MAX));
        assert!(object.set("inf", f64::INFINITY));
        // Into a number, and beyond the end.
        assert!(!object.set("b.c.0.x", 1) && !object.set("b.c.9", 1) && !object.set("b.c.x", 1));
    });
    assert_eq!(
        set,
        "{\"a\":\"quote \\\" back \\\\ line \\n bell \\u0007 ü\",\"b\":{\"c\":[-7,2,1.5],\"d\":null},\
         \"n\":{\"e\":{\"w\":[ {\"x\":18446744073709551615} ]}},\"inf\":null}"
    );
    let twice = edited("{}", |object| {
        assert!(object.set("a", 1) && object.set("b", 2) && object.set("a", 3));
        assert!(object.remove("b") && object.set("b", "again"));
    });
    assert_eq!(twice, r#"{"a":3,"b":"again"}"#);
}

#[test]
fn a_renamed_member_keeps_its_place_and_wins() {
    let renamed = |document: &str, from: &str, to: &str| {
        edited(document, |object| {
            assert!(object.rename(from, to));
            assert!(object.get(to).is_some() && (from == to || object.get(from).is_none()));
        })
    };
    assert_eq!(renamed(r#"{"a": 1 ,"b":2}"#, "a", "c\""), r#"{"c\"": 1 ,"b":2}"#);
    assert_eq!(renamed(r#"{"a":1,"b":2,"c":3}"#, "a", "c"), r#"{"c":1,"b":2}"#);
    assert_eq!(renamed(r#"{"a":1,"a":2,"c":3}"#, "a", "a"), r#"{"a":2,"c":3}"#);
    let inner = edited(r#"{"x":[{"a":1},{}]}"#, |object| {
        assert!(object.rename("x.0.a", "b") && !object.rename("x.1.a", "b") && !object.rename("x.0", "b"));
        assert!(object.set("new", 1) && object.rename("new", "x2") && object.set("x2", 2));
        assert!(object.rename("x2", "x3") && object.remove("x3"));
    });
    assert_eq!(inner, r#"{"x":[{"b":1},{}]}"#);
}

#[test]
fn of_members_with_one_name_the_last_counts() {
    let document = r#"{"a":1,"b":0,"\u0061":2}"#;
    assert_eq!(edited(document, |object| assert!(object.remove("a"))), r#"{"b":0}"#);
    assert_eq!(edited(document, |object| assert!(object.set("a", 3))), r#"{"b":0,"\u0061":3}"#);
    edited(document, |object| {
        assert_eq!(object.get("a").and_then(|value| value.number()), Some("2"));
        // Also where nothing was looked into.
        let mut other = Editor::default();
        let outer = format!(r#"{{"in":{document}}}"#);
        let outer = other.object(outer.as_bytes()).expect("an object");
        assert_eq!(outer.get("in.a").and_then(|value| value.number()), Some("2"));
    });
}

#[test]
fn values_are_read_as_they_are_now() {
    let document = r#"{"t":"a\u00fc\n","n":-0.10,"b":true,"z":null,"o":{"k":[1,"x"]},"e":{}}"#;
    edited(document, |object| {
        let kinds: Vec<_> = object.members().map(|(name, value)| (name.into_owned(), value.kind())).collect();
        let expected = [
            ("t", Kind::Text),
            ("n", Kind::Number),
            ("b", Kind::Bool),
            ("z", Kind::Null),
            ("o", Kind::Object),
            ("e", Kind::Object),
        ];
        assert_eq!(kinds, expected.map(|(name, kind)| (name.to_owned(), kind)));
        let text = object.get("t").expect("a value");
        assert!(text.is("aü\n") && !text.is("a") && text.number().is_none());
        assert_eq!((text.text().as_deref(), text.raw().as_ref()), (Some("aü\n"), &br#""a\u00fc\n""#[..]));
        assert_eq!(object.get("n").and_then(|value| value.number()?.parse().ok()), Some(-0.1));
        assert_eq!(object.get("b").and_then(|value| value.bool()), Some(true));
        assert!(object.get("z").is_some_and(|value| value.is_null()));
        assert_eq!(object.get(["o", "k"]).map(|value| value.items().count()), Some(2));
        assert!(object.get("o.k.1").is_some_and(|value| value.is("x")));
        assert!(object.get("o.k.2").is_none() && object.get("t.x").is_none() && object.get("").is_none());

        assert!(object.set("o.k.0", false) && object.remove("o.k.1") && object.set("e.new", "y"));
        let inner = object.get("o").expect("a value");
        assert_eq!((inner.kind(), inner.raw().as_ref()), (Kind::Object, &br#"{"k":[false]}"#[..]));
        assert_eq!(inner.get("k.0").and_then(|value| value.bool()), Some(false));
        assert_eq!(inner.get("k").map(|value| value.items().count()), Some(1));
        let members: Vec<_> = object.get("e").expect("a value").members().map(|(name, _)| name.into_owned()).collect();
        assert_eq!(members, ["new"]);
    });
}

#[test]
fn a_value_of_one_document_is_set_in_another() {
    let mut first = Editor::default();
    let first = first.object(br#"{"a":[1, 2.0]}"#).expect("an object");
    let copied = edited("{}", |object| assert!(object.set("b", first.get("a"))));
    assert_eq!(copied, r#"{"b":[1, 2.0]}"#);
}

#[test]
fn every_object_of_an_array_is_edited() {
    let document = r#"{"items":[{"token":1,"n":1},7,{"n":2},[{"token":3}]],"one":{"token":4}}"#;
    let cleansed = edited(document, |object| {
        for path in ["items", "one", "none"] {
            object.within(path, |inner| {
                inner.remove("token");
            });
        }
    });
    assert_eq!(cleansed, r#"{"items":[{"n":1},7,{"n":2},[{"token":3}]],"one":{}}"#);
    let kept = edited(document, |object| object.retain(|name, value| name == "one" || value.kind() != Kind::Array));
    assert_eq!(kept, r#"{"one":{"token":4}}"#);
}

#[test]
fn names_with_dots_are_named_in_an_array() {
    let document = r#"{"a.b":1,"a":{"b":2}}"#;
    assert_eq!(edited(document, |object| assert!(object.remove("a.b"))), r#"{"a.b":1,"a":{}}"#);
    assert_eq!(edited(document, |object| assert!(object.remove(["a.b"]))), r#"{"a":{"b":2}}"#);
    let steps = ["a".to_owned(), "b".to_owned()];
    assert_eq!(edited(document, |object| assert!(object.set(&steps[..], 3))), r#"{"a.b":1,"a":{"b":3}}"#);
}

#[test]
fn errors_say_what_and_where() {
    for (document, error) in [
        ("", "expected `{` at byte 0, the end"),
        ("plain text", "expected `{` at byte 0"),
        ("[1]", "expected `{` at byte 0"),
        (" {\"a\":1", "expected `,` or `}` at byte 7, the end"),
        (r#"{"a":1,}"#, "expected a name in quotes at byte 7"),
        (r#"{"a" 1}"#, "expected `:` at byte 5"),
        (r#"{"a":}"#, "expected a value at byte 5"),
        (r#"{"a":[1 2]}"#, "expected `,` or `]` at byte 8"),
        (r#"{"a":01}"#, "expected `,` or `}` at byte 6"),
        (r#"{"a":-}"#, "expected a digit at byte 6"),
        (r#"{"a":1.e3}"#, "expected a digit at byte 7"),
        (r#"{"a":1e}"#, "expected a digit at byte 7"),
        (r#"{"a":nul}"#, "expected a value at byte 5"),
        (r#"{"a":"x}"#, "a string without its closing quote at byte 8, the end"),
        ("{\"a\":\"x\n\"}", "a control character that is not escaped at byte 7"),
        (r#"{"a":"\x"}"#, "no such escape at byte 7"),
        (r#"{"a":"\u00g0"}"#, "expected a hexadecimal digit at byte 10"),
        (r#"{"a":"\ud800"}"#, "half of a pair of surrogates at byte 6"),
        (r#"{"a":"\udc00\ud800"}"#, "half of a pair of surrogates at byte 6"),
        (r#"{"a":1} x"#, "expected nothing more at byte 8"),
    ] {
        assert_eq!(refused(document), error, "{document}");
    }
    assert_eq!(refused(b"{\"a\":\"aaaa\xff\"}"), "a string that is not UTF-8 at byte 10");
    assert_eq!(refused(b"{\"a\":\"\\n\xff\"}"), "a string that is not UTF-8 at byte 8");
    assert_eq!(Raw::new("1 2").map(drop).expect_err("refused").position(), 2);
}

#[test]
fn nesting_is_bounded_where_serde_json_bounds_it() {
    for levels in [126, 127] {
        let document = format!("{{\"a\":{}1{}}}", "[".repeat(levels), "]".repeat(levels));
        let taken = Editor::default().object(document.as_bytes()).map(drop);
        assert_eq!(taken.is_ok(), levels == 126, "{levels}: {taken:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&document).is_ok(), levels == 126);
    }
    let deep = format!("{{\"a\":{}", "[".repeat(1_000_000));
    assert!(refused(deep).starts_with("more than 127 levels"));
}

#[test]
fn an_editor_forgets_the_document_before() {
    let mut editor = Editor::default();
    let mut object = editor.object(br#"{"a":1,"b":[1]}"#).expect("an object");
    assert!(object.set("c", "x") && object.remove("a") && object.set("b.0", 2));
    assert!(editor.object(b"{").is_err());
    let object = editor.object(br#"{"z":{}}"#).expect("an object");
    let mut out = b"before ".to_vec();
    object.write(&mut out);
    assert_eq!(out, br#"before {"z":{}}"#);
    let mut object = editor.empty();
    assert!(object.set("message", "x") && object.members().count() == 1);
}
