"""Metrics of a module's own: shown by the host with its names in front, ``[a-z0-9_]{1,64}``, at most 64 of an instance.
Outside a host they go nowhere; :func:`wasmill.testing.run` answers them."""

from __future__ import annotations

from collections.abc import Callable


def _nowhere(name: str, value: float) -> None:
    del name, value


_count: Callable[[str, int], None] = _nowhere
_observe: Callable[[str, float], None] = _nowhere


def count(name: str, by: int = 1) -> None:
    """Adds to a counter."""
    _count(name, by)


def observe(name: str, value: float) -> None:
    """Notes a value of which the distribution matters."""
    _observe(name, value)
