"""JSON by the standard library's own scanner and encoder, called without the wrappers that cost a third of the time.

What they answer is what ``json.loads`` and ``json.dumps`` answer, errors included: whatever is out of the ordinary goes
to them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


_decoder = json.JSONDecoder(parse_constant=_no_constant)
_scan: Callable[[str, int], tuple[Any, int]] = _decoder.scan_once  # type: ignore[attr-defined]
_encoder = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False, allow_nan=False)


def loads(text: str) -> Any:
    """As ``json.loads``; NaN and infinity, which JSON does not have, are a ``ValueError``."""
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        end = -1
    # Blanks around it, or something behind it.
    return value if end == len(text) else _decoder.decode(text)


def _chunks() -> Callable[[Any, int], tuple[str, ...]] | None:
    """The encoder in C, made once: ``json.dumps`` makes one for every value. ``None`` where Python has another."""
    try:
        from json.encoder import c_make_encoder, encode_basestring  # type: ignore[attr-defined]

        chunks: Callable[[Any, int], tuple[str, ...]] = c_make_encoder(
            None, _encoder.default, encode_basestring, None, ":", ",", False, False, False
        )
        chunks({"a": [1]}, 0)
    except (ImportError, TypeError):
        return None
    return chunks


_encode = _chunks()


def dumps(value: Any) -> bytes:
    """Compact JSON in UTF-8, by the standard library: for ``out.keep(row, value=wasmill.dumps(...))``.

    Raises ``ValueError`` for numbers that JSON does not have (NaN, infinity), ``TypeError`` for what is no JSON at all.
    """
    text = "".join(_encode(value, 0)) if _encode else _encoder.encode(value)
    return text.encode()
