"""The conformance guest in Python. ``tests/conformance/README.md`` says what each ``do`` does."""

from collections.abc import Callable

import wasmill
from wasmill import Batch, Config, ConfigError, Fatal, Op, Output, Plan, Reads, Retry, Row, Setting, log, metrics

Act = Callable[["Conformance", Batch, Row, Output], None]
ACTS: dict[str, tuple[Act, Reads]] = {}


def act(name: str, reads: Reads) -> Callable[[Act], Act]:
    def note(function: Act) -> Act:
        ACTS[name] = function, reads
        return function

    return note


@wasmill.module(
    "conformance-python",
    "1.0.0",
    summary="Does what the conformance suite asks for.",
    settings=[
        Setting("do", "what to do with each row", required=True),
        Setting("routes", "the routes, between commas", default="out"),
        Setting("times", "a number that some need"),
        Setting("note", "not used"),
    ],
)
class Conformance:
    seen = 0
    """Rows seen by this instance."""

    def init(self, config: Config) -> Plan:
        self.what = config.required("do")
        if self.what not in ACTS:
            raise ConfigError(f"do: unknown: {self.what}")
        self.act, reads = ACTS[self.what]
        self.times = config.parse("times", int, 0)
        self.settings = sorted(config.items())
        self.routes = config.list("routes")
        return Plan(self.routes, reads)

    def transform(self, batch: Batch, out: Output) -> None:
        if self.what == "keep":
            out.keep_all()
            return
        if self.what == "retry" and batch.attempt < self.times:
            raise Retry(f"again {batch.attempt}")
        if self.what == "fatal":
            raise Fatal(f"stop: {(batch[0].value or b'').decode()}")
        for row in batch:
            self.seen += 1
            self.act(self, batch, row, out)


@act("keep", Reads.NOTHING)
@act("retry", Reads.NOTHING)
@act("fatal", Reads.VALUES)
def keep(self: Conformance, batch: Batch, row: Row, out: Output) -> None:
    out.keep(row)


@act("copy", Reads.ALL)
def copy(self: Conformance, batch: Batch, row: Row, out: Output) -> None:
    out.keep(row, key=row.key, value=row.value, headers=row.headers, timestamp=row.timestamp)


@act("even", Reads.NOTHING)
def even(self: Conformance, batch: Batch, row: Row, out: Output) -> None:
    if row.index % 2 == 0:
        out.keep(row)


@act("none", Reads.NOTHING)
def none(self: Conformance, batch: Batch, row: Row, out: Output) -> None:
    pass


@act("thrice", Reads.KEYS)
def thrice(self: Conformance, batch: Batch, row: Row, out: Output) -> None:
    out.keep(row)
    out.keep(row, value=row.key)
    out.keep(row, value=b"")


@act("tombstone", Reads.NOTHING)
def tombstone(self: Conformance, batch: Batch, row: Row, out: Output) -> None:
    out.keep(row, value=None)


@act("swap", Reads.KEYS | Reads.VALUES)
def swap(self: Conformance, batch: Batch, row: Row, out: Output) -> None:
    out.keep(row, key=row.value, value=row.key)


@act("text", Reads.VALUES)
def text(self: Conformance, batch: Batch, row: Row, out: Output) -> None:
    if row.value is None:
        out.keep(row)
        return
    try:
        out.keep(row, value=f"{row.value.decode()}!".encode())
    except UnicodeDecodeError:
        out.reject(row, "not UTF-8")


@act("length", Reads.KEYS | Reads.VALUES)
def length(self: Conformance, batch: Batch, row: Row, out: Output) -> None:
    key, value = ("-" if field is None else str(len(field)) for field in (row.key, row.value))
    out.keep(row, value=f"{key}:{value}".encode())


@act("info", Reads.OFFSETS | Reads.TIMESTAMPS)
def info(self: Conformance, batch: Batch, row: Row, out: Output) -> None:
    fields = batch.topic, batch.partition, row.offset, row.timestamp, batch.attempt, len(batch)
    out.keep(row, value="/".join(map(str, fields)).encode())


@act("headers", Reads.HEADERS)
def headers(self: Conformance, batch: Batch, row: Row, out: Output) -> None:
    out.keep(row, headers=[*reversed(row.headers), ("added", b"1"), ("none", None)])


@act("route", Reads.VALUES)
def route(self: Conformance, batch: Batch, row: Row, out: Output) -> None:
    named = (row.value or b"").decode()
    if named in self.routes:
        out.keep(row, route=named)


@act("target", Reads.KEYS)
def target(self: Conformance, batch: Batch, row: Row, out: Output) -> None:
    out.keep(row, target=row.key.decode() if row.key is not None else None)


@act("op", Reads.NOTHING)
def op(self: Conformance, batch: Batch, row: Row, out: Output) -> None:
    out.keep(row, op=(Op.PUT, Op.CREATE, Op.MERGE, Op.DELETE)[row.index % 4])


@act("version", Reads.OFFSETS)
def version(self: Conformance, batch: Batch, row: Row, out: Output) -> None:
    out.keep(row, version=row.offset * 10 + 1)


@act("reject", Reads.VALUES)
def reject(self: Conformance, batch: Batch, row: Row, out: Output) -> None:
    if row.value is not None and row.value.startswith(b"bad"):
        out.reject(row, f"row {row.index}: {row.value.decode(errors='replace')}")
    else:
        out.keep(row)


@act("throw", Reads.VALUES)
def throw(self: Conformance, batch: Batch, row: Row, out: Output) -> None:
    if row.value == b"boom":
        raise RuntimeError(f"boom at row {row.index}")
    out.keep(row)


@act("config", Reads.NOTHING)
def config(self: Conformance, batch: Batch, row: Row, out: Output) -> None:
    if row.index == 0:
        out.keep(row, value=";".join(f"{name}={value}" for name, value in self.settings).encode())


@act("count", Reads.NOTHING)
def count(self: Conformance, batch: Batch, row: Row, out: Output) -> None:
    out.keep(row, value=str(self.seen).encode())


@act("grow", Reads.VALUES)
def grow(self: Conformance, batch: Batch, row: Row, out: Output) -> None:
    out.keep(row, value=(row.value or b"") * self.times)


@act("log", Reads.VALUES)
def speak(self: Conformance, batch: Batch, row: Row, out: Output) -> None:
    value = row.value or b""
    log.info(value.decode(errors="replace"))
    print("value")
    metrics.count("seen")
    metrics.observe("bytes", len(value))
    out.keep(row)


@act("spin", Reads.NOTHING)
def spin(self: Conformance, batch: Batch, row: Row, out: Output) -> None:
    while True:
        pass


@act("allocate", Reads.NOTHING)
def allocate(self: Conformance, batch: Batch, row: Row, out: Output) -> None:
    everything = []
    while True:
        everything.append(b"x" * (1 << 20))


@act("recurse", Reads.NOTHING)
def recurse(self: Conformance, batch: Batch, row: Row, out: Output) -> None:
    recurse(self, batch, row, out)
    out.keep(row)


@act("flood", Reads.NOTHING)
def flood(self: Conformance, batch: Batch, row: Row, out: Output) -> None:
    while True:
        print("and on, and on, and on")
