"""`python -m lpo.workload`: fetch the public traces, bin a trace, describe a file."""

import argparse
import os
import sys
from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from lpo.errors import InputError
from lpo.workload.download import PUBLICATIONS, DownloadError, download, mirror
from lpo.workload.readers import AZURE_COLUMNS, BIN_S, Columns, load_trace
from lpo.workload.series import Series
from lpo.workload.writers import write_series

OK, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


class Parser(argparse.ArgumentParser):
    """argparse with its error on one line."""

    def error(self, message: str) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Leave with exit code 2."""
        self.exit(BAD_INPUT, f"{self.prog}: error: {message} (see --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand and return the exit code: 0 done, 1 failed, 2 bad input, 130 interrupted."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except InputError as error:
        return _complain(str(error), BAD_INPUT)
    except (DownloadError, OSError) as error:
        return _complain(str(error), FAILED)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    return OK


def _complain(message: str, code: int) -> int:
    print(f"python -m lpo.workload: {message}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m lpo.workload",
        description="Fetch the public traces, bin a trace, describe a file.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    fetch = commands.add_parser(
        "download",
        help="fetch the public Azure LLM inference traces of 2023 and 2024 (2 MB)",
        description="Fetch the public Azure LLM inference traces (CC-BY 4.0) with their checksums. "
        "Files that are there already are kept.",
    )
    fetch.add_argument(
        "--root",
        default=os.environ.get("LPO_DATA") or "data",
        help="folder to put them in (default: $LPO_DATA, else ./data)",
    )
    fetch.add_argument(
        "--mirror",
        metavar="URL",
        help="fetch the four files by their names from URL instead of from the publishers",
    )
    fetch.set_defaults(run=_download)

    binning = commands.add_parser(
        "bin",
        help="put a trace of requests into bins, or sum the bins of a series",
        description="Read a trace (.csv, .csv.gz, .parquet) and write its demand a bin.",
    )
    _add_reading(binning, "TRACE")
    binning.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FILE",
        help="series to write: .csv, .csv.gz or .parquet",
    )
    binning.set_defaults(run=_bin)

    describe = commands.add_parser(
        "describe",
        help="print length, gaps and demand of a trace or series",
        description="Read a trace or series, check every cell, and print what is in it.",
    )
    _add_reading(describe, "FILE")
    describe.set_defaults(run=_describe)
    return parser


def _add_reading(parser: argparse.ArgumentParser, file: str) -> None:
    parser.add_argument("file", metavar=file, help="a .csv, .csv.gz or .parquet file")
    parser.add_argument(
        "--bin-s",
        type=float,
        metavar="S",
        help=f"seconds a bin (default: a series' own bin; {BIN_S:g} for requests)",
    )
    reading = parser.add_argument_group("how to read the file (docs/data.md)")
    reading.add_argument(
        "--kind",
        choices=("auto", "requests", "series"),
        default="auto",
        help="one row a request or one row a bin; auto: requests when the time column and both "
        "token columns are there (default: auto)",
    )
    reading.add_argument(
        "--tokens",
        choices=("context", "total"),
        default="context",
        help="count prompt tokens, or prompt plus generated tokens (default: context)",
    )
    reading.add_argument(
        "--series-bin-s",
        type=float,
        metavar="S",
        help="seconds a row of a series (default: the step of its time column; "
        f"{BIN_S:g} without one)",
    )
    for role, default in AZURE_COLUMNS._asdict().items():
        reading.add_argument(
            f"--{role}-column",
            default=default,
            metavar="NAME",
            help=f"default: {default or 'Tokens, else the context column'}",
        )


def _download(options: argparse.Namespace) -> None:
    publications = mirror(options.mirror) if options.mirror else PUBLICATIONS
    download(options.root, publications, report=lambda file, what: print(f"{what:8} {file}"))
    print(f"export LPO_DATA={os.path.abspath(options.root)}")


def _load(options: argparse.Namespace) -> Series:
    columns = Columns(
        options.time_column,
        options.context_column,
        options.generated_column,
        options.series_column,
    )
    # disable=None: no bar where stderr is not a terminal
    with tqdm(desc="reading", unit="row", unit_scale=True, disable=None, leave=False) as bar:
        return load_trace(
            options.file,
            bin_s=options.bin_s,
            kind=options.kind,
            tokens=options.tokens,
            columns=columns,
            series_bin_s=options.series_bin_s,
            progress=bar.update,
            note=lambda line: tqdm.write(f"note: {line}", file=sys.stderr),
        )


def _bin(options: argparse.Namespace) -> None:
    series = _load(options)
    write_series(series, options.output)
    print(f"{options.output}: {len(series.tokens)} bins of {series.bin_s:g} s")


def _describe(options: argparse.Namespace) -> None:
    for label, value in description(_load(options)):
        print(f"{label:16} {value}")


def description(series: Series) -> list[tuple[str, str]]:
    """What a person wants to know first, as (label, value with its unit) rows."""
    tokens, source = series.tokens, series.source
    hours = len(tokens) * series.bin_s / 3600
    rows = [
        ("name", series.name),
        ("first bin", series.start or "no calendar time"),
        ("bins", f"{len(tokens)} of {series.bin_s:g} s ({hours:.2f} hours)"),
        ("zero bins", f"{np.sum(tokens == 0)}"),
        ("tokens", f"{tokens.sum():.0f}"),
        (
            "tokens a bin",
            f"min {tokens.min():.0f}, mean {tokens.mean():.2f}, max {tokens.max():.0f}",
        ),
    ]
    if source is not None:
        rows += [
            ("file", source.path),
            ("sha256", source.sha256),
            ("rows", f"{source.rows}"),
            ("bins without row", f"{source.empty_bins} (zeros)"),
        ]
    return rows


if __name__ == "__main__":
    sys.exit(main())
