"""A module: a class or a function that was told to be one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

from . import _raw
from ._batch import Batch
from ._config import Config, Plan, Reads, Setting
from ._output import Mistake, Output


class Error(Exception):
    """Why a whole batch was not transformed."""


class Retry(Error):
    """Call again with the same batch after a back-off, within the pipeline's limit of retries."""


class Fatal(Error):
    """Stop the pipeline: a person has to look."""


@runtime_checkable
class Module(Protocol):
    """What a class must have to be a module. ``init(self, config)`` is optional: it reads the settings and may answer a
    :class:`Plan`; a :class:`ConfigError` refuses the release."""

    def transform(self, batch: Batch, out: Output) -> None:
        """Transforms a batch: rows of one topic-partition in offset order."""


Transform = Callable[[Batch, Output], None]
M = TypeVar("M", bound=type[Module] | Transform)

_ATTRIBUTE = "__wasmill__"


class Declared:
    """What ``@wasmill.module`` was told."""

    def __init__(
        self,
        make: type[Module] | Transform,
        description: _raw.Description,
        settings: Sequence[Setting],
        plan: Plan,
    ) -> None:
        self.make = make
        self.description = description
        self.settings = settings
        self.plan = plan


class _Function:
    """A module that is a function."""

    def __init__(self, function: Transform) -> None:
        self._function = function

    def transform(self, batch: Batch, out: Output) -> None:
        self._function(batch, out)


class Instance:
    """A started module: what the host calls."""

    def __init__(self, declared: Declared, config: Mapping[str, str]) -> None:
        make = declared.make
        self._module: Any = make() if isinstance(make, type) else _Function(make)
        init = getattr(self._module, "init", None)
        plan = init(Config(config, declared.settings)) if init else None
        if plan is not None and not isinstance(plan, Plan):
            raise TypeError(f"`init` answers a wasmill.Plan or nothing, not {type(plan).__name__}")
        self.plan = plan or declared.plan
        if isinstance(self.plan.routes, str):
            raise TypeError(f"routes are a list of names: [{self.plan.routes!r}]")
        self._routes = {name: number for number, name in enumerate(self.plan.routes)}

    def transform(self, raw: _raw.Batch) -> _raw.Output:
        batch = Batch(raw)
        out = Output(batch, self._routes)
        try:
            self._module.transform(batch, out)
            return out._finish()
        except Mistake as mistake:
            raise Fatal(str(mistake)) from mistake


_declared: list[Declared] = []


def module(
    name: str,
    version: str,
    *,
    summary: str = "",
    settings: Sequence[Setting] = (),
    routes: Sequence[str] = ("out",),
    reads: Reads = Reads.ALL,
) -> Callable[[M], M]:
    """Makes a class or a function the module of this program.

    ``name`` and ``version`` are what people call it by, ``summary`` says in a sentence what it does, ``settings`` are
    those that a pipeline may give. ``routes`` are the names that records are sent to, the first by default; ``reads``
    says which columns are copied in. ``init`` may answer another :class:`Plan`.
    """

    def declare(made: M) -> M:
        if isinstance(made, type) and not callable(getattr(made, "transform", None)):
            raise TypeError(f"{made.__name__} has no method `transform(self, batch, out)`")
        description = _raw.Description(name, version, summary, list(settings))
        declared = Declared(made, description, settings, Plan(routes, reads))
        setattr(made, _ATTRIBUTE, declared)
        _declared.append(declared)
        return made

    return declare


def declared(made: object) -> Declared:
    """What a class or function was declared as."""
    found = getattr(made, _ATTRIBUTE, None)
    if not isinstance(found, Declared):
        raise TypeError(f"{made!r} is no module: put @wasmill.module(name, version) before it")
    return found


def only() -> Declared:
    """The module of this program."""
    if len(_declared) != 1:
        names = ", ".join(one.description.name for one in _declared) or "none"
        raise TypeError(f"a program has one module, marked with @wasmill.module(name, version); here: {names}")
    return _declared[0]
