"""A compact result table on the terminal."""

import sys

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

PLAIN_WIDTH = 160  # columns when the output is a file or a pipe, so that rows are not wrapped


def print_table(table: pd.DataFrame, title: str | None = None) -> None:
    """Print `table` on stdout: four significant digits, a dash for a missing value."""
    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    grid = Table(box=SIMPLE_HEAD)
    for name in table.columns:
        numeric = pd.api.types.is_numeric_dtype(table[name])
        grid.add_column(str(name), justify="right" if numeric else "left", no_wrap=True)
    for row in table.itertuples(index=False):
        grid.add_row(*(format_cell(value) for value in row))
    console = Console(width=width, highlight=False)
    if title:  # not the table's own title, which would be wrapped at the table's width
        console.print(title, style="bold")
    console.print(grid)


def format_cell(value: object) -> str:
    """A table cell as text: four significant digits, a dash for a missing value."""
    if value is None or value is pd.NA or value != value:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
