"""What a job has found, and how it is written."""

from typing import NamedTuple

import pandas as pd

from lpo.runs.folder import RunFolder
from lpo.runs.report import Picture, Report, ResultTable, write_report
from lpo.runs.terminal import print_table


class Findings(NamedTuple):
    """result: the outcome in a few words. tables, pictures: by the name of their file; the first
    table stands on top of the report. shown: what the terminal says, a title and a table each.
    notes: sentences for the report and the terminal. frames, files: tables that are too long for a
    report, for parquet and for CSV files."""

    result: str
    metrics: dict[str, float | None]
    tables: dict[str, ResultTable]
    pictures: dict[str, Picture]
    shown: list[tuple[str, pd.DataFrame]]
    notes: list[str]
    frames: dict[str, pd.DataFrame] = {}  # noqa: RUF012
    files: dict[str, pd.DataFrame] = {}  # noqa: RUF012


def write_findings(folder: RunFolder, title: str, found: Findings) -> None:
    """Write tables, figures and the report, and say on the terminal what came out."""
    for name, table in found.tables.items():
        folder.write_table(name, table.data)
    for name, table in found.files.items():
        folder.write_table(name, table)
    for name, frame in found.frames.items():
        folder.write_frame(name, frame)
    for name, picture in found.pictures.items():
        folder.write_figure(name, picture.static)
    opening = " ".join([f"{found.result}.", *(f"Note: {note}" for note in found.notes)])
    page = write_report(
        folder,
        Report(title, opening, list(found.tables.values()), list(found.pictures.values())),
    )
    for heading, table in found.shown:
        print_table(table, heading)
    for note in found.notes:
        print(f"note: {note}")
    print(f"{found.result}; report: {page}")
