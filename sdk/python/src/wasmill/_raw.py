"""The contract's shapes (``wit/transform.wit``), as componentize-py makes and takes them.

It reads what a module answers by the names of attributes, so these classes cross as they are; what it hands in has the
same attributes. That a native test and a component run the same code hangs on it.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class BytesColumn:
    data: bytes = b""
    ends: list[int] = field(default_factory=list)
    nulls: list[int] = field(default_factory=list)


@dataclass
class HeaderColumn:
    row_ends: list[int] = field(default_factory=list)
    names: BytesColumn = field(default_factory=BytesColumn)
    values: BytesColumn = field(default_factory=BytesColumn)


@dataclass
class Batch:
    topic: str
    partition: int
    rows: int
    attempt: int
    offsets: list[int]
    timestamps: list[int]
    keys: BytesColumn
    values: BytesColumn
    headers: HeaderColumn


@dataclass
class EditedColumn:
    data: bytes
    ends: list[int]
    nulls: list[int]
    kept: list[int]


@dataclass
class Reject:
    row: int
    reason: str


@dataclass
class Output:
    rows: list[int]
    routes: list[int]
    keys: EditedColumn | None
    values: EditedColumn | None
    headers: HeaderColumn | None
    timestamps: list[int] | None
    targets: BytesColumn | None
    ops: list[object] | None
    versions: list[int] | None
    rejects: list[Reject]


@dataclass
class Description:
    name: str
    version: str
    summary: str
    settings: list[object]


@dataclass
class Plan:
    routes: list[str]
    reads: object
