"""What becomes of a batch, gathered as columns. A column that nobody sets stays away, so a filter or a router copies
nothing back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from itertools import accumulate
from typing import Any, Final, TypeVar

from . import _raw
from ._batch import Batch, Header, Row

T = TypeVar("T")
Bytes = bytes | bytearray | memoryview


class Op(Enum):
    """What a sink is to do with a record. Kafka knows only put and delete (a tombstone)."""

    PUT = 0
    """Write, replacing what is there: Elasticsearch index, Redis SET or HSET."""
    CREATE = 1
    """Write only if nothing is there: Elasticsearch create, Redis SET NX."""
    MERGE = 2
    """Merge into what is there: Elasticsearch update with doc-as-upsert, Redis HSET of the given fields."""
    DELETE = 3
    """Remove."""


class Kept(Enum):
    """The type of :data:`KEPT`."""

    KEPT = "the row's own"

    def __repr__(self) -> str:
        return "KEPT"


KEPT: Final = Kept.KEPT
"""What ``Output.keep`` does with what it is not given: it stays the row's own."""


class Mistake(Exception):
    """The module used :class:`Output` in a way that it must not be."""


class Output:
    """The records that come out of a batch, and the rows that are rejected.

    Rows are kept in the order of the batch. Keeping an earlier row after a later one, or keeping and rejecting a row, is
    a mistake in the module (rejecting the row that was kept last is none): the pipeline stops, with words that name the
    rows.
    """

    __slots__ = (
        "_batch",
        "_headers",
        "_keys",
        "_ops",
        "_rejects",
        "_routes",
        "_routes_of",
        "_rows",
        "_targets",
        "_timestamps",
        "_values",
        "_versions",
    )

    def __init__(self, batch: Batch, routes: dict[str, int]) -> None:
        self._batch = batch
        self._routes_of = routes
        self._rows: list[int] = []
        # One entry for each record up to the last one that has its own.
        self._keys: list[Bytes | None | Kept] = []
        self._values: list[Bytes | None | Kept] = []
        self._headers: list[Sequence[tuple[str, Bytes | None]] | Kept] = []
        self._targets: list[Bytes | None] = []
        self._timestamps: list[int | None] = []
        self._routes: list[int] = []
        self._ops: list[object] = []
        self._versions: list[int | None] = []
        self._rejects: dict[int, str] = {}

    def __len__(self) -> int:
        """Number of records so far."""
        return len(self._rows)

    def keep(
        self,
        row: Row,
        *,
        key: Bytes | None | Kept = KEPT,
        value: Bytes | None | Kept = KEPT,
        route: str | int | None = None,
        headers: Iterable[tuple[str, Bytes | None]] | Kept = KEPT,
        timestamp: int | None = None,
        target: str | None = None,
        op: Op | None = None,
        version: int | None = None,
    ) -> None:
        """Sends a row on. What is not given stays the row's own.

        - ``key``, ``value``: bytes, or ``None`` for Kafka's null. A null value is a tombstone: a sink removes what the
          key names.
        - ``route``: another route than the first, by its name or its number in the plan.
        - ``headers``: all headers that the record is to have: ``[*row.headers, ("name", b"value")]`` adds one.
        - ``timestamp``: milliseconds since the Unix epoch.
        - ``target``: where inside the sink: topic, index or key. Otherwise as the sink is configured.
        - ``op``: what the sink is to do. Otherwise put, or delete where the value is null.
        - ``version``: for sinks that keep the newest, a number that grows with each change of the same key.

        Headers, timestamps and versions are columns that are whole or not there: once one record of a batch has its
        own, the others' cross back as well. So a module that sets headers reads headers (or sets every record's), one
        that sets timestamps reads timestamps (or sets every record's), and where one record has a version the others
        have 0.
        """
        rows = self._rows
        index = row.index
        record = len(rows)
        if rows and index < rows[-1]:
            raise Mistake(f"row {index} was kept after row {rows[-1]}: keep rows in the order of the batch")
        if value is not KEPT:
            if value is not None and not isinstance(value, bytes | bytearray | memoryview):
                raise TypeError(f"value is bytes or None, not {type(value).__name__}{_hint(value)}")
            values = self._values
            if len(values) != record:
                values.extend([KEPT] * (record - len(values)))
            values.append(value)
        if key is not KEPT:
            if key is not None and not isinstance(key, bytes | bytearray | memoryview):
                raise TypeError(f"key is bytes or None, not {type(key).__name__}{_hint(key)}")
            _set(self._keys, record, key, KEPT)
        if route is not None:
            _set(self._routes, record, self._route(route), 0)
        if headers is not KEPT:
            _set(self._headers, record, list(headers), KEPT)
        if timestamp is not None:
            _set(self._timestamps, record, timestamp, None)
        if target is not None:
            _set(self._targets, record, target.encode(), None)
        if op is not None:
            _set(self._ops, record, Op(op), None)
        if version is not None:
            _set(self._versions, record, version, None)
        rows.append(index)

    def keep_all(self) -> None:
        """Sends every row of the batch on as it is: the cheapest there is."""
        if self._rows and self._rows[-1] > 0 and len(self._batch):
            raise Mistake(f"row 0 was kept after row {self._rows[-1]}: keep rows in the order of the batch")
        self._rows.extend(range(len(self._batch)))

    def reject(self, row: Row, reason: object) -> None:
        """Sends a row to the pipeline's dead letters. Records that this row was kept for are taken back."""
        index = row.index
        rows = self._rows
        while rows and rows[-1] == index:
            rows.pop()
        columns: tuple[list[Any], ...] = (
            self._keys, self._values, self._headers, self._targets,
            self._timestamps, self._routes, self._ops, self._versions,
        )  # fmt: skip
        for column in columns:
            del column[len(rows) :]
        self._rejects.setdefault(index, str(reason).encode(errors="replace").decode())

    def _route(self, route: str | int) -> int:
        number = route if isinstance(route, int) else self._routes_of.get(route)
        if number is None or not 0 <= number < len(self._routes_of):
            raise ValueError(f"route {route!r} is not in the plan: {', '.join(self._routes_of)}")
        return number

    def _finish(self) -> _raw.Output:
        rows, records = self._rows, len(self._rows)
        if self._rejects:
            both = self._rejects.keys() & set(rows)
            if both:
                raise Mistake(f"row {min(both)} was both kept and rejected: it can only be one of them")
        values = _edited(self._values, records)
        return _raw.Output(
            rows=rows,
            routes=_filled(self._routes, records, lambda _: 0) if any(self._routes) else [],
            keys=_edited(self._keys, records),
            values=values,
            headers=self._finish_headers(records),
            timestamps=_whole(self._timestamps, records, self._own_timestamp),
            targets=self._finish_targets(records),
            ops=self._finish_ops(records, values),
            versions=_whole(self._versions, records, lambda _: 0),
            rejects=[_raw.Reject(row, reason) for row, reason in sorted(self._rejects.items())],
        )

    def _finish_targets(self, records: int) -> _raw.BytesColumn | None:
        # Targets are never kept: records without one go where the sink is configured to.
        if all(target is None for target in self._targets):
            return None
        targets = _filled(self._targets, records, lambda _: None)
        return _column(targets)

    def _finish_headers(self, records: int) -> _raw.HeaderColumn | None:
        # The contract knows no kept headers: once a record has its own, the others take their row's.
        if all(headers is KEPT for headers in self._headers):
            return None
        names: list[Bytes | None] = []
        values: list[Bytes | None] = []
        row_ends: list[int] = []
        for record, given in enumerate(_filled(self._headers, records, lambda _: KEPT)):
            if isinstance(given, Kept):
                given = self._own_headers(record)
            for name, value in given:
                names.append(name.encode(errors="surrogateescape"))
                values.append(value)
            row_ends.append(len(names))
        return _raw.HeaderColumn(row_ends, _column(names), _column(values))

    def _own_headers(self, record: int) -> list[Header]:
        if not self._batch._raw.headers.row_ends:
            raise Mistake(
                "a record's headers were set, and the headers of others would be lost: the plan does not read headers. "
                "Add Reads.HEADERS to it, or set the headers of every record"
            )
        return self._batch._headers_of(self._rows[record])

    def _own_timestamp(self, record: int) -> int:
        own = self._batch._raw.timestamps
        if not own:
            raise Mistake(
                "some records' timestamps were set, and those of others would be lost: the plan does not read "
                "timestamps. Add Reads.TIMESTAMPS to it, or set the timestamp of every record"
            )
        return own[self._rows[record]]

    def _finish_ops(self, records: int, values: _raw.EditedColumn | None) -> list[object] | None:
        if all(op is None for op in self._ops):
            return None
        kept = set(values.kept) if values else set(range(records))
        nulls = set(values.nulls) if values else set[int]()
        own = set(self._batch._raw.values.nulls)

        # What the host does with a record without an op, so that one record's op changes nothing for the others.
        def usual(record: int) -> object:
            null = self._rows[record] in own if record in kept else record in nulls
            return Op.DELETE if null else Op.PUT

        return _whole(self._ops, records, usual)


def _hint(value: object) -> str:
    return ": .encode() makes bytes of text" if isinstance(value, str) else ""


def _set(column: list[Any], record: int, value: object, unset: object) -> None:
    """Gives a record its own; those before it that have none get ``unset``."""
    column.extend([unset] * (record - len(column)))
    column.append(value)


def _filled(column: list[T], records: int, unset: Callable[[int], T]) -> list[T]:
    return column + [unset(record) for record in range(len(column), records)]


def _whole(column: list[T | None], records: int, unset: Callable[[int], T]) -> list[T] | None:
    if all(value is None for value in column):
        return None
    filled = column + [None] * (records - len(column))
    return [unset(record) if value is None else value for record, value in enumerate(filled)]


def _column(cells: list[Bytes | None]) -> _raw.BytesColumn:
    nulls = [index for index, cell in enumerate(cells) if cell is None]
    parts = [cell if cell is not None else b"" for cell in cells]
    return _raw.BytesColumn(b"".join(parts), list(accumulate(map(len, parts))), nulls)


def _edited(cells: list[Bytes | None | Kept], records: int) -> _raw.EditedColumn | None:
    if all(cell is KEPT for cell in cells):
        return None
    kept = [record for record, cell in enumerate(cells) if cell is KEPT]
    kept.extend(range(len(cells), records))
    column = _column([None if cell is KEPT else cell for cell in cells] + [None] * (records - len(cells)))
    if kept:
        own = set(kept)
        column.nulls = [null for null in column.nulls if null not in own]
    return _raw.EditedColumn(column.data, column.ends, column.nulls, kept)
