"""Write modules for Wasmill: a function over a batch of Kafka records, and a description of itself.

    import wasmill

    @wasmill.module("errors", "1.0.0", routes=["errors"], reads=wasmill.Reads.VALUES)
    def transform(batch: wasmill.Batch, out: wasmill.Output) -> None:
        for row in batch:
            if b"ERROR" in (row.value or b""):
                out.keep(row)

With settings or state, a module is a class; an instance is made once and keeps its state from batch to batch:

    @wasmill.module(
        "filter", "1.0.0",
        summary="Keeps the records whose value contains a word.",
        settings=[wasmill.Setting("word", "the word to look for", required=True)],
        reads=wasmill.Reads.VALUES,
    )
    class Filter:
        def init(self, config: wasmill.Config) -> None:
            self.word = config.required("word").encode()

        def transform(self, batch: wasmill.Batch, out: wasmill.Output) -> None:
            for row in batch:
                if self.word in (row.value or b""):
                    out.keep(row)

What becomes of a row
    - ``out.keep(row)`` sends it on: to the first route, unless ``route=`` names another. What is not given (``key=``,
      ``value=``, ``headers=``, ``timestamp=``) stays the row's own, and is not copied out of the module.
    - A row that is not kept is dropped on purpose.
    - ``out.reject(row, reason)`` sends it to the pipeline's dead letters.
    - ``raise wasmill.Retry(reason)`` asks for the whole batch again, later; ``raise wasmill.Fatal(reason)`` stops the
      pipeline.
    - Any other exception ends the call: the host finds the row that causes it, sends it to the dead letters with the
      traceback, and goes on with the rest.

Rows are kept in the order of the batch: acknowledgement and order hang on it. One row may be kept several times. A batch
may be given to the module more than once.

What a module may do
    Compute, log (``wasmill.log``, ``logging`` and ``print`` all reach ``wasmill logs``) and count (``wasmill.metrics``).
    It has no files, no network and no environment, and imports happen when it is built. An instance keeps its state from
    batch to batch and may be replaced by a fresh one at any time, between two batches.

Try it without a host: ``wasmill.testing``.
"""

from . import log, metrics
from ._batch import Batch, Header, Row
from ._config import Config, ConfigError, Plan, Reads, Setting
from ._json import dumps
from ._module import Error, Fatal, Module, Retry, module
from ._output import KEPT, Op, Output

__version__ = "0.1.0"

__all__ = [
    "KEPT",
    "Batch",
    "Config",
    "ConfigError",
    "Error",
    "Fatal",
    "Header",
    "Module",
    "Op",
    "Output",
    "Plan",
    "Reads",
    "Retry",
    "Row",
    "Setting",
    "dumps",
    "log",
    "metrics",
    "module",
]
