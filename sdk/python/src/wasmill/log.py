"""Log lines: shown by ``wasmill logs``, with the pipeline and the release. Bounded by the host in number and length.

``print`` and the standard library's ``logging`` get there as well. Outside a host, these functions speak to the logger
``wasmill``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

_LEVELS = (5, logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)


def _outside(level: int, message: str) -> None:
    logging.getLogger("wasmill").log(_LEVELS[level], "%s", message)


_write: Callable[[int, str], None] = _outside


def trace(message: str) -> None:
    """Chatter for whoever writes the module."""
    _write(0, message)


def debug(message: str) -> None:
    """Detail for whoever looks for a fault."""
    _write(1, message)


def info(message: str) -> None:
    """News."""
    _write(2, message)


def warn(message: str) -> None:
    """Somebody should know."""
    _write(3, message)


def error(message: str) -> None:
    """Somebody should act."""
    _write(4, message)
