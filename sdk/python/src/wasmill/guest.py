"""What makes a component of a module: the exports of the contract, around the module that ``main.py`` declares.

    componentize-py -d PATH_OF_THIS_PACKAGE/wit -w transform componentize wasmill.guest -p . -o module.wasm

It runs when the component is built, and what is in memory then is what each instance begins with. So everything is
imported here, once, and the sources of the module are remembered for tracebacks: a component has no files.
"""

from __future__ import annotations

import linecache
import logging
import os
import sys
import traceback
from types import TracebackType

from componentize_py_types import Err
from wit_world.imports import log as host_log
from wit_world.imports import metrics as host_metrics
from wit_world.imports.types import Error_Fatal, Error_Retry

from . import _module, _raw, log, metrics
from ._config import ConfigError

_PACKAGE = os.path.dirname(__file__)
_LEVELS = list(host_log.Level)


def _write(level: int, message: str) -> None:
    # Text may hold what is not Unicode (lone surrogates); the contract takes UTF-8.
    host_log.write(_LEVELS[level], str(message).encode(errors="replace").decode())


class _Handler(logging.Handler):
    """The standard library's log records, as the host's."""

    def emit(self, record: logging.LogRecord) -> None:
        level = next((at for at, least in enumerate(log._LEVELS[1:]) if record.levelno <= least), 4 - 1) + 1
        _write(level, self.format(record))


def _remember_sources() -> None:
    """Keeps the sources of the module and its packages for tracebacks."""
    standard = os.path.dirname(os.__file__)
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if not file or not file.endswith(".py") or file.startswith((standard, _PACKAGE)):
            continue
        lines = linecache.getlines(file)
        # Without a time of change: otherwise the file is looked for, and forgotten since it is gone.
        linecache.cache[file] = (sum(map(len, lines)), None, lines, file)


def _shorten(text: str) -> str:
    """Paths as they are in the project: the builder gives its folders numbers."""
    for folder in filter(None, sys.path):
        text = text.replace(f'File "{folder}/', 'File "')
    return text


def _die(kind: type[BaseException], value: BaseException, trace: TracebackType | None) -> None:
    """An exception that nobody caught: its traceback goes to standard error, and the call ends as a trap."""
    while trace and trace.tb_next and trace.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        trace = trace.tb_next
    sys.stdout.flush()
    sys.stderr.write(_shorten("".join(traceback.format_exception(kind, value, trace, limit=-12))))
    sys.stderr.flush()
    os.abort()


class Meta:
    """The interface ``meta`` of the contract."""

    def describe(self) -> _raw.Description:
        return _DECLARED.description

    def init(self, config: list[tuple[str, str]]) -> _raw.Plan:
        try:
            started = _module.Instance(_DECLARED, dict(config))
        except (ConfigError, _module.Error) as error:
            raise Err(str(error)) from None
        Columns.instance = started
        return _raw.Plan(list(started.plan.routes), started.plan.reads)


class Columns:
    """The interface ``columns`` of the contract."""

    instance: _module.Instance | None = None

    def transform(self, batch: _raw.Batch) -> _raw.Output:
        if self.instance is None:
            raise Err(Error_Fatal("transform was called before init"))
        try:
            return self.instance.transform(batch)
        except _module.Retry as error:
            raise Err(Error_Retry(str(error))) from None
        except _module.Fatal as error:
            raise Err(Error_Fatal(str(error))) from None


log._write = _write
metrics._count = host_metrics.count
metrics._observe = host_metrics.observe

import main  # noqa: E402,F401  (the author's module: it may log while it is loaded)

_DECLARED = _module.only()
_remember_sources()
logging.basicConfig(level=logging.INFO, handlers=[_Handler()], format="%(name)s: %(message)s")
# A line that is printed is a line of the log, not one of a block of 8 KiB.
if hasattr(sys.stdout, "reconfigure"):
    sys.stdout.reconfigure(line_buffering=True)
sys.excepthook = _die
