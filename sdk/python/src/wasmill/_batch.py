"""The rows of a batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from . import _json, _raw


class Header(NamedTuple):
    """One header of a record: a pair of name and value."""

    name: str
    """Kafka's protocol allows bytes that are not UTF-8 here: they come as surrogates (PEP 383), and go out as they came."""
    value: bytes | None
    """``None`` is Kafka's null."""


class Row:
    """One record. A column that the plan does not read is empty: key and value are then ``None``, offset and timestamp
    0, and there are no headers."""

    __slots__ = ("_batch", "index", "key", "value")

    if TYPE_CHECKING:
        index: int
        """Its number in the batch, from 0."""
        key: bytes | None
        """``None`` is Kafka's null, which is not the same as empty."""
        value: bytes | None
        """``None`` is Kafka's null: a tombstone."""

    def __init__(self, batch: Batch, index: int, key: bytes | None, value: bytes | None) -> None:
        self._batch = batch
        self.index = index
        self.key = key
        self.value = value

    @property
    def offset(self) -> int:
        """Offset in the partition."""
        offsets = self._batch._raw.offsets
        return offsets[self.index] if offsets else 0

    @property
    def timestamp(self) -> int:
        """Milliseconds since the Unix epoch."""
        timestamps = self._batch._raw.timestamps
        return timestamps[self.index] if timestamps else 0

    @property
    def headers(self) -> list[Header]:
        """The headers, in order; a name may come more than once."""
        return self._batch._headers_of(self.index)

    def header(self, name: str) -> bytes | None:
        """Value of the last header of that name, as Kafka's own clients look it up."""
        found = None
        for header in self.headers:
            if header.name == name:
                found = header.value
        return found

    def json(self) -> Any:
        """The value as JSON, read by the standard library.

        Raises ``ValueError`` where it is none; a null value is none. Numbers are Python's: of those with a point or an
        exponent, 17 digits are kept.
        """
        if self.value is None:
            raise ValueError("the value is null")
        return _json.loads(self.value.decode())

    def __repr__(self) -> str:
        return f"Row(index={self.index}, key={self.key!r}, value={self.value!r})"


class Batch(Sequence[Row]):
    """Rows of one topic-partition, in offset order: 0 to 10,000. No rows are in the call that tries a module out."""

    __slots__ = ("_header_cells", "_raw", "_rows")

    def __init__(self, raw: _raw.Batch) -> None:
        self._raw = raw
        self._rows: list[Row] | None = None
        self._header_cells: tuple[list[bytes | None], list[bytes | None]] | None = None

    @property
    def topic(self) -> str:
        """The topic that the rows come from."""
        return self._raw.topic

    @property
    def partition(self) -> int:
        """The partition that the rows come from."""
        return self._raw.partition

    @property
    def attempt(self) -> int:
        """0 at the first try, then one more for each retry of this batch."""
        return self._raw.attempt

    def __len__(self) -> int:
        return self._raw.rows

    def __iter__(self) -> Iterator[Row]:
        return iter(self._all())

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...

    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        return self._all()[index]

    def _all(self) -> list[Row]:
        if self._rows is None:
            raw, rows = self._raw, self._raw.rows
            keys, values = _cells(raw.keys, rows), _cells(raw.values, rows)
            self._rows = list(map(Row, repeat(self, rows), range(rows), keys, values))
        return self._rows

    def _headers_of(self, index: int) -> list[Header]:
        column = self._raw.headers
        if not column.row_ends:
            return []
        if self._header_cells is None:
            count = len(column.names.ends)
            self._header_cells = _cells(column.names, count), _cells(column.values, count)
        names, values = self._header_cells
        begin = column.row_ends[index - 1] if index else 0
        end = column.row_ends[index]
        return [
            Header((name or b"").decode(errors="surrogateescape"), value)
            for name, value in zip(names[begin:end], values[begin:end], strict=True)
        ]


def _cells(column: _raw.BytesColumn, count: int) -> list[bytes | None]:
    """The byte strings of a column, one by one; of a column that was not read, ``None`` throughout."""
    ends = column.ends
    if not ends:
        return [None] * count
    data = column.data
    # Without a line of Python for each row: here a thousand rows cost as much as three do in a loop.
    cells: list[bytes | None] = list(map(data.__getitem__, map(slice, chain((0,), ends), ends)))
    for null in column.nulls:
        cells[null] = None
    return cells
