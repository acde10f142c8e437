"""Fetch the public Azure traces from their publishers, checked byte for byte."""

import http.client
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

from lpo.checksum import sha256_of
from lpo.errors import InputError
from lpo.workload.azure import AZURE_FILES
from lpo.workload.writers import writing

# Commits, because a branch may change under a checksum.
_AZURE = (
    "https://raw.githubusercontent.com/Azure/AzurePublicDataset/"
    "790921015d50dd6aae7f7e47f39ba0e235ad6b08/data/"
)
_3DLEARNING = (
    "https://raw.githubusercontent.com/CIGLAB-Houston/3DLearning/"
    "ef09702acc8f12fb5b750704e0a9e8466a6d7638/Data/"
)
_CODE_BINS_2024 = 60_479  # the published file holds code, then conversation, under one header

_TIMEOUT_S = 30
_PIECE_BYTES = 1 << 20


class DownloadError(RuntimeError):
    """A file could not be fetched, or what came is not the published file. One line."""


class Part(NamedTuple):
    """A file to write: rows `lo` to `hi - 1` of a published file under its header, or all of it.

    `rows` counts data rows from 0; None copies the published bytes.
    """

    file: str
    sha256: str
    rows: tuple[int, int | None] | None = None


class Publication(NamedTuple):
    """A published file and what is made of it."""

    url: str
    parts: tuple[Part, ...]


def _part(series: str, rows: tuple[int, int | None] | None = None) -> Part:
    return Part(AZURE_FILES[series].file, AZURE_FILES[series].sha256, rows)


PUBLICATIONS = (
    Publication(
        _3DLEARNING
        + "Combined_AzureLLMInferenceTrace_2024_Coding_2024_Conversation_compressed-5s.csv",
        (
            _part("code_2024", (0, _CODE_BINS_2024)),
            _part("conv_2024", (_CODE_BINS_2024, None)),
        ),
    ),
    Publication(_AZURE + "AzureLLMInferenceTrace_conv.csv", (_part("conv_2023"),)),
    Publication(_AZURE + "AzureLLMInferenceTrace_code.csv", (_part("code_2023"),)),
)


def mirror(base_url: str) -> tuple[Publication, ...]:
    """The four files under their own names at an address of the user's (https:, http: or file:)."""
    base = base_url.rstrip("/") + "/"
    return tuple(Publication(base + entry.file, (_part(s),)) for s, entry in AZURE_FILES.items())


def download(
    root: str | Path,
    publications: Sequence[Publication] = PUBLICATIONS,
    *,
    report: Callable[[str, str], object] = lambda file, what: None,
) -> list[Path]:
    """Put the files of `publications` into `root` (made if need be) and return their paths.

    A file that is there with the right SHA-256 is not fetched again, so that a broken download is
    continued by the same call. `report(file, "present" | "fetched")` is called for each. A file
    appears under its name only once its checksum is right.

    Raises `InputError` when a file of that name but other content is there (it is not overwritten)
    or `root` cannot be written, `DownloadError` when fetching fails or the content is not the
    published one.
    """
    root = Path(root)
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{root}: cannot make this folder: {error.strerror}.") from None
    for url, parts in publications:
        wanted = [part for part in parts if not _present(root / part.file, part.sha256)]
        for part in parts:
            if part not in wanted:
                report(part.file, "present")
        if not wanted:
            continue
        with tempfile.TemporaryFile() as published:
            _fetch(url, published)
            for part in wanted:
                _write(published, part, root / part.file, url)
                report(part.file, "fetched")
    return [root / part.file for publication in publications for part in publication.parts]


def _present(path: Path, sha256: str) -> bool:
    if not path.exists():
        return False
    if not path.is_file() or sha256_of(path) != sha256:
        raise InputError(
            f"{path}: is there but is not the published file (other SHA-256); move it away first."
        )
    return True


def _fetch(url: str, into: IO[bytes]) -> None:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response:
            while piece := response.read(_PIECE_BYTES):
                into.write(piece)
    except (OSError, http.client.HTTPException, ValueError) as error:
        # URLError, HTTPError and timeouts are OSErrors; ValueError is an address of no known kind
        reason = str(error).replace("\n", " ") or type(error).__name__
        raise DownloadError(f"cannot fetch {url}: {reason}") from None


def _write(published: IO[bytes], part: Part, path: Path, url: str) -> None:
    with writing(path) as partial:
        with partial.open("wb") as file:
            for piece in _content(published, part):
                file.write(piece)
        found = sha256_of(partial)
        if found != part.sha256:
            raise DownloadError(
                f"{part.file} from {url} has SHA-256 {found}, expected {part.sha256}: not kept"
            )


def _content(published: IO[bytes], part: Part) -> Iterator[bytes]:
    published.seek(0)
    if part.rows is None:
        while piece := published.read(_PIECE_BYTES):
            yield piece
        return
    lo, hi = part.rows
    yield published.readline()
    yield from islice(published, lo, hi)
