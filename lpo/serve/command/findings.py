"""What a job has found, and how it is written."""

from typing import NamedTuple

import pandas as pd

from lpo.runs import Picture, Report, ResultTable, RunFolder, print_table, write_report


class Findings(NamedTuple):
    """result: the outcome in a few words. tables, pictures: by the name of their file; the first
    table stands on top of the report. shown: what the terminal says, a title and a table each.
    notes: sentences for the report and the terminal."""

    result: str
    metrics: dict[str, float | None]
    tables: dict[str, ResultTable]
    pictures: dict[str, Picture]
    shown: list[tuple[str, pd.DataFrame]]
    notes: list[str]


def write_findings(folder: RunFolder, title: str, found: Findings) -> None:
    """Write tables, figures and the report, and say on the terminal what came out."""
    for name, table in found.tables.items():
        folder.write_table(name, table.data)
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
