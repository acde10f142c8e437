"""Requests of the Azure traces as contexts. docs/bandit_product.md."""

from pathlib import Path
from typing import Any

from lpo.bandit.product.contexts import Periods, contexts_of
from lpo.errors import InputError
from lpo.serve.replay.trace import trace_of
from lpo.workload.azure import AZURE_FILES
from lpo.workload.requests import stream_requests


def read_periods(conversation: str | Path, code: str | Path, **options: Any) -> Periods:
    """Read two traces of requests, of conversation and of code, that begin together.

    options: as of `contexts_of`. Raises InputError as `stream_requests`, `trace_of` and
    `contexts_of`.
    """
    traces = []
    for path in (conversation, code):
        try:
            traces.append(trace_of(stream_requests(path)))
        except InputError as error:
            place = str(error)
            raise InputError(place if str(path) in place else f"{path}: {place}") from None
    return contexts_of(*traces, **options)


def azure_periods(root: str | Path, **options: Any) -> Periods:
    """Read the Azure traces of 2023 from the folder that LPO_DATA names.

    Raises InputError where a file is missing, and as `read_periods`.
    """
    paths = [Path(root) / AZURE_FILES[name].file for name in ("conv_2023", "code_2023")]
    for path in paths:
        if not path.is_file():
            raise InputError(f"{path}: no such file; `python -m lpo.workload download` fetches it.")
    return read_periods(*paths, **options)
