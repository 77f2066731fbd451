"""Try a module with plain pytest or unittest, without a host: records in, records out.

    from main import Filter
    from wasmill.testing import Record, run

    def test_keeps_what_it_is_told_to():
        done = run(Filter, [Record(b"abc", key=b"k"), Record(b"xyz")], {"word": "b"})
        assert [record.value for record in done.records] == [b"abc"]
        assert done.records[0].key == b"k"
        assert done.records[0].route == "out"
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from . import _raw, metrics
from ._config import Reads
from ._module import Instance, declared
from ._output import Op, _column

Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True)
class Record:
    """A record to be given to a module."""

    value: bytes | None = None
    """``None`` is Kafka's null."""
    key: bytes | None = None
    """``None`` is Kafka's null."""
    headers: Headers = ()
    timestamp: int = 0
    """Milliseconds since the Unix epoch."""


@dataclass(frozen=True)
class Sent:
    """A record that came out, with what it kept of its row filled in."""

    row: int
    """Index of the record that it came from."""
    route: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp: int
    target: str | None = None
    """Where inside the sink, where it says so."""
    op: Op | None = None
    """What the sink is to do, where any record of the batch says so."""
    version: int | None = None
    """Where any record of the batch has one."""


@dataclass(frozen=True)
class Done:
    """What a module answered."""

    records: list[Sent]
    """In order."""
    rejects: list[tuple[int, str]]
    """Rows and reasons, in order of rows."""
    columns: set[str]
    """The columns that crossed back, for those who count copies."""
    counted: dict[str, int] = field(default_factory=dict)
    """What ``wasmill.metrics.count`` added up, by name."""
    observed: dict[str, list[float]] = field(default_factory=dict)
    """What ``wasmill.metrics.observe`` noted, by name."""


class Started:
    """An instance that is given one batch after the other, and keeps its state."""

    def __init__(self, module: object, config: Mapping[str, str] | None = None) -> None:
        """Raises :class:`wasmill.ConfigError` where ``init`` does."""
        self._instance = Instance(declared(module), config or {})

    def run(
        self,
        records: Iterable[Record],
        *,
        topic: str = "test",
        partition: int = 0,
        attempt: int = 0,
        first_offset: int = 0,
    ) -> Done:
        """Gives the module one batch. Columns that its plan does not read are empty, as they are in the host.

        Raises what the module raises.
        """
        given = list(records)
        batch = _batch(given, self._instance.plan.reads, topic, partition, attempt, first_offset)
        with _metrics() as (counted, observed):
            output = self._instance.transform(batch)
        return _read(output, list(self._instance.plan.routes), given, counted, observed)


def run(module: object, records: Iterable[Record], config: Mapping[str, str] | None = None) -> Done:
    """Starts a module with settings and gives it one batch: of topic ``test``, partition 0, offsets from 0."""
    return Started(module, config).run(records)


@contextmanager
def _metrics() -> Iterator[tuple[dict[str, int], dict[str, list[float]]]]:
    counted: dict[str, int] = {}
    observed: dict[str, list[float]] = {}

    def count(name: str, by: int) -> None:
        counted[name] = counted.get(name, 0) + by

    def observe(name: str, value: float) -> None:
        observed.setdefault(name, []).append(value)

    before = metrics._count, metrics._observe
    metrics._count, metrics._observe = count, observe
    try:
        yield counted, observed
    finally:
        metrics._count, metrics._observe = before


def _batch(
    records: list[Record], reads: Reads, topic: str, partition: int, attempt: int, first_offset: int
) -> _raw.Batch:
    def column(flag: Reads, cells: list[bytes | None]) -> _raw.BytesColumn:
        return _column([*cells]) if flag in reads else _raw.BytesColumn()

    headers = _raw.HeaderColumn()
    if Reads.HEADERS in reads:
        flat = [header for record in records for header in record.headers]
        headers.names = _column([name.encode(errors="surrogateescape") for name, _ in flat])
        headers.values = _column([value for _, value in flat])
        for record in records:
            before = headers.row_ends[-1] if headers.row_ends else 0
            headers.row_ends.append(before + len(record.headers))
    return _raw.Batch(
        topic=topic,
        partition=partition,
        rows=len(records),
        attempt=attempt,
        offsets=list(range(first_offset, first_offset + len(records))) if Reads.OFFSETS in reads else [],
        timestamps=[record.timestamp for record in records] if Reads.TIMESTAMPS in reads else [],
        keys=column(Reads.KEYS, [record.key for record in records]),
        values=column(Reads.VALUES, [record.value for record in records]),
        headers=headers,
    )


def _cell(column: _raw.BytesColumn | _raw.EditedColumn, index: int) -> bytes | None:
    if index in column.nulls:
        return None
    return column.data[column.ends[index - 1] if index else 0 : column.ends[index]]


def _read(
    output: _raw.Output,
    routes: list[str],
    records: list[Record],
    counted: dict[str, int],
    observed: dict[str, list[float]],
) -> Done:
    def edited(column: _raw.EditedColumn | None, index: int, own: bytes | None) -> bytes | None:
        return own if column is None or index in column.kept else _cell(column, index)

    def headers(column: _raw.HeaderColumn, index: int) -> Headers:
        begin = column.row_ends[index - 1] if index else 0
        names = (_cell(column.names, at) or b"" for at in range(begin, column.row_ends[index]))
        values = (_cell(column.values, at) for at in range(begin, column.row_ends[index]))
        return [(name.decode(errors="surrogateescape"), value) for name, value in zip(names, values, strict=True)]

    def sent(index: int, row: int) -> Sent:
        own = records[row]
        target = _cell(output.targets, index) if output.targets else None
        op = output.ops[index] if output.ops is not None else None
        return Sent(
            row=row,
            route=routes[output.routes[index] if output.routes else 0],
            key=edited(output.keys, index, own.key),
            value=edited(output.values, index, own.value),
            headers=headers(output.headers, index) if output.headers else list(own.headers),
            timestamp=output.timestamps[index] if output.timestamps is not None else own.timestamp,
            target=target.decode() if target is not None else None,
            op=op if isinstance(op, Op) else None,
            version=output.versions[index] if output.versions is not None else None,
        )

    present = {
        "routes": output.routes or None,
        "keys": output.keys,
        "values": output.values,
        "headers": output.headers,
        "timestamps": output.timestamps,
        "targets": output.targets,
        "ops": output.ops,
        "versions": output.versions,
    }
    return Done(
        records=[sent(index, row) for index, row in enumerate(output.rows)],
        rejects=[(reject.row, reject.reason) for reject in output.rejects],
        columns={name for name, column in present.items() if column is not None},
        counted=counted,
        observed=observed,
    )
