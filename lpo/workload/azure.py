"""The public Azure LLM inference traces by name: docs/data.md, "Azure traces"."""

from pathlib import Path
from typing import NamedTuple

from lpo.errors import InputError
from lpo.workload.readers import BIN_S, Kind, load_trace
from lpo.workload.series import Workload

TRAIN = "conv_2024"


class AzureFile(NamedTuple):
    """A file of the root folder: its name, what its rows are, and the SHA-256 of its bytes."""

    file: str
    kind: Kind
    sha256: str


AZURE_FILES = {
    "conv_2024": AzureFile(
        "azure_llm_2024_conv_5s.csv",
        "series",
        "47df5c3b4347609098852ae46690607b241d9234936c229c14c32e37ca39c40d",
    ),
    "code_2024": AzureFile(
        "azure_llm_2024_code_5s.csv",
        "series",
        "a49afbc45e02657ac781a8ad0ae09686de2db99e0ecbc9cb55816168c3518869",
    ),
    "conv_2023": AzureFile(
        "azure_llm_2023_conv.csv",
        "requests",
        "2f1e5b666d4e3055fdbba98598ce2ec307767b9064e03e2fa46676dbcc7d0bf8",
    ),
    "code_2023": AzureFile(
        "azure_llm_2023_code.csv",
        "requests",
        "54e9a6d2a4bd06ba1e060304b900abbc74cbea53de96506e60fe5bb4f2277fb6",
    ),
}


def load_azure(root: str | Path | None) -> Workload:
    """The four services in context tokens per bin of 5 s; 2024 conversation is trained on.

    The 2023 files are requests, put into bins at multiples of 5 s since midnight. The 2024 files
    are binned already and have no time stamps, so that their `start` is None. The files are taken
    as they are: the `source` of each series holds its SHA-256, `AZURE_FILES` the published one.

    Raises `InputError` when `root` is None or lacks a file, saying how to get it.
    """
    remedy = (
        "fetch the files with `python -m lpo.workload download`, then set `workload.root` or the "
        "environment variable LPO_DATA to their folder."
    )
    if root is None:
        raise InputError(f"`workload.root` is not set: {remedy}")
    root = Path(root)
    missing = [entry.file for entry in AZURE_FILES.values() if not (root / entry.file).is_file()]
    if missing:
        where = "has no" if root.is_dir() else "is no folder, so there is no"
        raise InputError(f"`workload.root` {root} {where} {', '.join(missing)}: {remedy}")
    series = {
        name: load_trace(root / entry.file, bin_s=BIN_S, name=name, kind=entry.kind)
        for name, entry in AZURE_FILES.items()
    }
    return Workload("azure", TRAIN, series)
