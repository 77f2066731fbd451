"""The SDK natively: what a module says against what would cross to the host. ``python3 -m unittest discover -s tests``,
with ``src`` on the path."""

import unittest
from collections.abc import Callable

import wasmill
from wasmill import Batch, Config, ConfigError, Fatal, Header, Op, Output, Plan, Reads, Retry, Setting
from wasmill import _batch, _raw
from wasmill.testing import Done, Record, Started, run

ROWS = [
    Record(b"v0", key=b"k0", timestamp=-5),
    Record(None, key=None, headers=[("h", b"1"), ("h", b"2"), ("n", None)], timestamp=6),
    Record(b"", key=b"", timestamp=7),
    Record(b"v3", key=b"k3", timestamp=8),
]

Work = Callable[[Batch, Output], None]


def give(work: Work, reads: Reads = Reads.ALL, records: list[Record] = ROWS) -> Done:
    declared = wasmill.module("test", "1", routes=["first", "second"], reads=reads)(work)
    return run(declared, records)


class Rows(unittest.TestCase):
    def test_rows_are_what_the_batch_holds(self) -> None:
        def work(batch: Batch, out: Output) -> None:
            self.assertEqual((batch.topic, batch.partition, batch.attempt, len(batch)), ("test", 0, 0, 4))
            self.assertEqual([row.value for row in batch], [b"v0", None, b"", b"v3"])
            self.assertEqual([row.key for row in batch], [b"k0", None, b"", b"k3"])
            self.assertEqual([row.offset for row in batch], [0, 1, 2, 3])
            self.assertEqual([row.timestamp for row in batch], [-5, 6, 7, 8])
            self.assertEqual(batch[1].headers, [Header("h", b"1"), Header("h", b"2"), Header("n", None)])
            self.assertEqual((batch[1].header("h"), batch[1].header("x"), batch[0].headers), (b"2", None, []))
            self.assertEqual([row.index for row in batch[1:3]], [1, 2])
            out.keep_all()

        done = give(work)
        self.assertEqual([sent.value for sent in done.records], [b"v0", None, b"", b"v3"])
        self.assertEqual(done.columns, set(), "a filter copies nothing back")

    def test_what_is_not_read_is_empty(self) -> None:
        def work(batch: Batch, out: Output) -> None:
            for row in batch:
                self.assertEqual((row.key, row.value, row.offset, row.timestamp, row.headers), (None, None, 0, 0, []))
                if row.index % 2:
                    out.keep(row)

        done = give(work, Reads.NOTHING)
        self.assertEqual([(sent.row, sent.value) for sent in done.records], [(1, None), (3, b"v3")])

    def test_no_rows_are_no_trouble(self) -> None:
        def work(batch: Batch, out: Output) -> None:
            self.assertEqual(list(batch), [])
            out.keep_all()

        self.assertEqual(give(work, records=[]).records, [])

    def test_header_names_that_are_no_text_come_back_as_they_were(self) -> None:
        raw = _raw.HeaderColumn([1], _raw.BytesColumn(b"\xff\x00", [2]), _raw.BytesColumn(b"", [0], [0]))
        batch = Batch(_raw.Batch("t", 0, 1, 0, [], [], _raw.BytesColumn(), _raw.BytesColumn(), raw))
        out = Output(batch, {"out": 0})
        out.keep(batch[0], headers=[*batch[0].headers, ("a", b"b")])
        headers = out._finish().headers
        assert headers is not None
        self.assertEqual((headers.names.data, headers.values.nulls), (b"\xff\x00a", [0]))

    def test_json_is_read_to_the_letter(self) -> None:
        def value(text: bytes | None) -> object:
            return _batch.Row(None, 0, None, text).json()  # type: ignore[arg-type]

        for text in (b' {"a": [1, 2.5, null]} ', b'{"a":[1,2.5,null]}', b'\n{"a":[1,2.5e0,null]}'):
            self.assertEqual(value(text), {"a": [1, 2.5, None]})
        for bad in (None, b"", b"{", b'{"a":NaN}', b"Infinity", b"\xff", b"{} x", b"{}{}", b" "):
            with self.assertRaises(ValueError, msg=repr(bad)):
                value(bad)
        self.assertEqual(wasmill.dumps({"é": [1, None, "\U0001f600"]}), '{"é":[1,null,"\U0001f600"]}'.encode())
        values: list[object] = ["a\"\n\u2028", 1.5, True, {}, []]
        written = [wasmill.dumps(one) for one in values]
        self.assertEqual(written, ['"a\\"\\n\u2028"'.encode(), b"1.5", b"true", b"{}", b"[]"])
        refused: list[tuple[object, type[Exception]]] = [
            (float("nan"), ValueError),
            ([float("inf")], ValueError),
            ({1, 2}, TypeError),
            ("\ud800", ValueError),
        ]
        for one, error in refused:
            with self.assertRaises(error, msg=repr(one)):
                wasmill.dumps(one)


class Outputs(unittest.TestCase):
    def test_what_is_not_set_stays_the_rows_own(self) -> None:
        def work(batch: Batch, out: Output) -> None:
            a, b, c, d = batch
            out.keep(a)
            out.keep(b, key=b"k", value=bytearray(b"v"), route="first", headers=[*b.headers, ("x", b"")], version=2**64 - 1)
            out.keep(c, value=None, route=1, op=Op.MERGE, target="t", timestamp=100)
            out.keep(d)

        a, b, c, d = give(work).records
        self.assertEqual([sent.value for sent in (a, b, c, d)], [b"v0", b"v", None, b"v3"])
        self.assertEqual([sent.key for sent in (a, b, c, d)], [b"k0", b"k", b"", b"k3"])
        self.assertEqual([sent.route for sent in (a, b, c, d)], ["first", "first", "second", "first"])
        self.assertEqual([sent.timestamp for sent in (a, b, c, d)], [-5, 6, 100, 8])
        self.assertEqual([sent.version for sent in (a, b, c, d)], [0, 2**64 - 1, 0, 0])
        self.assertEqual([sent.target for sent in (a, b, c, d)], [None, None, "t", None])
        self.assertEqual([sent.op for sent in (a, b, c, d)], [Op.PUT, Op.PUT, Op.MERGE, Op.PUT])
        self.assertEqual([len(sent.headers) for sent in (a, b, c, d)], [0, 4, 0, 0])

    def test_one_records_op_leaves_the_tombstones_of_others_alone(self) -> None:
        def work(batch: Batch, out: Output) -> None:
            a, b, c, d = batch
            out.keep(a, op=Op.CREATE)
            out.keep(b)
            out.keep(c)
            out.keep(d, value=None)

        self.assertEqual([sent.op for sent in give(work).records], [Op.CREATE, Op.DELETE, Op.PUT, Op.DELETE])

    def test_a_row_may_be_kept_several_times(self) -> None:
        def work(batch: Batch, out: Output) -> None:
            for row in batch:
                out.keep(row)
                out.keep(row, value=row.key)
                out.keep(row, value=b"")

        values = [sent.value for sent in give(work).records]
        self.assertEqual(values[:6], [b"v0", b"k0", b"", None, None, b""])

    def test_rejecting_takes_back_what_was_kept(self) -> None:
        def work(batch: Batch, out: Output) -> None:
            for row in batch:
                out.keep(row)
                if row.index == 2:
                    out.keep(row, key=b"k", value=b"v", route=1, headers=[], timestamp=1, target="t", op=Op.PUT, version=1)
                    out.reject(row, ValueError("lone \ud800"))
                    out.reject(row, "the second reason is not kept")

        done = give(work)
        self.assertEqual([sent.row for sent in done.records], [0, 1, 3])
        self.assertEqual(done.rejects, [(2, "lone ?")])
        self.assertEqual(done.columns, set(), "what was taken back leaves no column behind")

    def test_rejects_come_in_the_order_of_rows(self) -> None:
        def work(batch: Batch, out: Output) -> None:
            for row in reversed(batch):
                out.reject(row, row.index)

        self.assertEqual(give(work).rejects, [(0, "0"), (1, "1"), (2, "2"), (3, "3")])

    def test_mistakes_are_said_with_their_rows(self) -> None:
        def descends(batch: Batch, out: Output) -> None:
            out.keep(batch[1])
            out.keep(batch[0])

        def all_again(batch: Batch, out: Output) -> None:
            out.keep(batch[3])
            out.keep_all()

        def both(batch: Batch, out: Output) -> None:
            out.keep(batch[0])
            out.keep(batch[1])
            out.reject(batch[0], "no")

        def one_timestamp(batch: Batch, out: Output) -> None:
            out.keep(batch[0], timestamp=1)
            out.keep(batch[1])

        def one_header(batch: Batch, out: Output) -> None:
            out.keep(batch[0])
            out.keep(batch[1], headers=[("a", b"b")])

        cases: list[tuple[Work, Reads, str]] = [
            (descends, Reads.ALL, "row 0 was kept after row 1"),
            (all_again, Reads.ALL, "row 0 was kept after row 3"),
            (both, Reads.ALL, "row 0 was both kept and rejected"),
            (one_timestamp, Reads.VALUES, "Add Reads.TIMESTAMPS"),
            (one_header, Reads.VALUES, "Add Reads.HEADERS"),
        ]
        for work, reads, words in cases:
            with self.subTest(words), self.assertRaisesRegex(Fatal, words):
                give(work, reads)

    def test_what_is_of_another_type_is_said_at_once(self) -> None:
        wrong: list[tuple[dict[str, object], str]] = [
            ({"value": "text"}, "value is bytes or None, not str: .encode"),
            ({"key": 5}, "key is bytes or None, not int"),
            ({"route": "third"}, "route 'third' is not in the plan: first, second"),
            ({"route": 2}, "route 2 is not in the plan"),
            ({"op": "put"}, "'put' is not a valid Op"),
        ]
        for given, words in wrong:
            def work(batch: Batch, out: Output) -> None:
                out.keep(batch[0], **given)  # type: ignore[arg-type]

            with self.subTest(given), self.assertRaisesRegex((TypeError, ValueError), words):
                give(work)


class Modules(unittest.TestCase):
    def test_an_instance_keeps_its_state_and_its_own_plan(self) -> None:
        @wasmill.module("counter", "1", settings=[Setting("step", "how far", default="2"), Setting("x", "not used")])
        class Counter:
            seen = 0

            def init(self, config: Config) -> Plan:
                self.step = config.parse("step", int, 1)
                self.given = dict(config)
                return Plan(["counted"], Reads.NOTHING)

            def transform(self, batch: Batch, out: Output) -> None:
                for row in batch:
                    self.seen += self.step
                    wasmill.metrics.count("rows")
                    wasmill.metrics.observe("seen", self.seen)
                    out.keep(row, value=str(self.seen).encode())

        started = Started(Counter)
        started.run(ROWS)
        done = started.run(ROWS)
        self.assertEqual([sent.value for sent in done.records], [b"10", b"12", b"14", b"16"])
        self.assertEqual((done.records[0].route, done.counted, done.observed["seen"]), ("counted", {"rows": 4}, [10, 12, 14, 16]))

    def test_settings_are_read_or_refused_with_their_names(self) -> None:
        config = Config({"n": "x", "list": "a, b,,c "}, [Setting("d", "has a default", default="7")])
        self.assertEqual((config["d"], config.get("d"), config.parse("d", int, 1)), ("7", "7", 7))
        self.assertEqual((config.list("list"), config.list("none"), config.get("none")), (["a", "b", "c"], [], None))
        self.assertEqual((dict(config), "d" in config), ({"n": "x", "list": "a, b,,c "}, False))
        for refuse, words in (
            (lambda: config.required("none"), "setting `none` is required"),
            (lambda: config.parse("n", int, 1), "setting `n`: 'x' cannot be read"),
        ):
            with self.assertRaisesRegex(ConfigError, words):
                refuse()

    def test_errors_and_exceptions_are_the_modules_own(self) -> None:
        for error in (Retry("again"), Fatal("stop"), ConfigError("no"), RuntimeError("boom")):
            def work(batch: Batch, out: Output) -> None:
                raise error

            with self.subTest(error), self.assertRaises(type(error)):
                give(work)

    def test_what_is_no_module_is_said(self) -> None:
        with self.assertRaisesRegex(TypeError, "put @wasmill.module"):
            run(lambda batch, out: None, [])
        with self.assertRaisesRegex(TypeError, "has no method `transform"):
            wasmill.module("x", "1")(type("Empty", (), {}))

    def test_log_lines_reach_the_standard_librarys_logging(self) -> None:
        with self.assertLogs("wasmill", level=5) as logs:
            for speak in (wasmill.log.trace, wasmill.log.debug, wasmill.log.info, wasmill.log.warn, wasmill.log.error):
                speak("100 % sure")
        self.assertEqual([record.levelno for record in logs.records], [5, 10, 20, 30, 40])
        self.assertEqual({record.getMessage() for record in logs.records}, {"100 % sure"})


if __name__ == "__main__":
    unittest.main()
