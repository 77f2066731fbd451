"""What a module can be told, and what it asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntFlag
from typing import TypeVar

T = TypeVar("T")


class ConfigError(Exception):
    """Raised in ``init``: the release is refused with these words."""


class Reads(IntFlag):
    """Columns that a module reads, to be joined with ``|``. One that is not read is not copied in."""

    NOTHING = 0
    """The module keeps or drops rows without looking at them."""
    KEYS = 1
    VALUES = 2
    HEADERS = 4
    """The dear ones."""
    OFFSETS = 8
    TIMESTAMPS = 16
    ALL = 31


@dataclass(frozen=True)
class Setting:
    """A setting that a pipeline may give under ``module.config``; the host checks a pipeline against them."""

    name: str
    summary: str
    default: str | None = None
    """What ``Config`` answers where a pipeline does not give it."""
    required: bool = False


@dataclass(frozen=True)
class Plan:
    """What an instance will use, where ``init`` decides it: its routes, and the columns that it reads."""

    routes: Sequence[str] = field(default=("out",))
    """At least one. The first is where records go that name none."""
    reads: Reads = Reads.ALL


class Config(Mapping[str, str]):
    """The settings of a pipeline, as its ``module.config`` gives them.

    ``config[name]`` and ``config.get(name)`` answer a setting's default where it is not given; to go through a config is
    to go through what is given.
    """

    __slots__ = ("_defaults", "_given")

    def __init__(self, given: Mapping[str, str], settings: Sequence[Setting] = ()) -> None:
        self._given = dict(given)
        self._defaults = {one.name: one.default for one in settings if one.default is not None}

    def __getitem__(self, name: str) -> str:
        return self._given[name] if name in self._given else self._defaults[name]

    def __contains__(self, name: object) -> bool:
        return name in self._given

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)

    def required(self, name: str) -> str:
        """A setting that must be given; raises :class:`ConfigError` with its name."""
        value = self.get(name)
        if value is None:
            raise ConfigError(f"setting `{name}` is required")
        return value

    def parse(self, name: str, kind: Callable[[str], T], default: T) -> T:
        """A setting as ``kind`` reads it (``int``, ``float``, a function); ``default`` where it is not given.

        Raises :class:`ConfigError`, with its name and what was given, where ``kind`` raises ``ValueError``.
        """
        text = self.get(name)
        if text is None:
            return default
        try:
            return kind(text)
        except ValueError as error:
            raise ConfigError(f"setting `{name}`: {text!r} cannot be read: {error}") from error

    def list(self, name: str) -> list[str]:
        """A setting as a list: parts between commas, trimmed, without empty ones."""
        return [part for part in (part.strip() for part in self.get(name, "").split(",")) if part]

    def __repr__(self) -> str:
        return f"Config({self._given!r})"
