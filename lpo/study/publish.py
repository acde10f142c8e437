"""Copies of a study's tables that are small enough to be kept with the code."""

import shlex
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from lpo.atomic import replacing, write_text
from lpo.runs import ResultTable

# overrides that say where and how, and change no number
SILENT = ("hydra", "cells", "workers", "publish", "report_only", "resume", "tracking")
README = """# Tables of the study

    {command}

Commit `{commit}`, {date}; {device}, JAX {jax}. {notes}

{captions}

Numbers have five significant digits, `<name>_low` and `<name>_high` are ends of 95 % intervals.
The other tables are by test set, with four digits: `<name>_half` is half the width of the 95 %
t-interval over seeds, `<name>_window_half` of the block bootstrap over windows; `floor` and `gap`
stand in the rows of DFL.
"""


def publish(
    folder: Path,
    tables: Mapping[str, ResultTable],
    notes: Sequence[str],
    by_set: Mapping[str, pd.DataFrame],
    summary: Mapping[str, Any],
    arguments: Sequence[str],
) -> None:
    """Write tables, and tables by test set, as CSV files into `folder`, and where they come from.

    `notes`: what must be said about them. `summary`: of the run. `arguments`: of the command.
    """
    for name, table in tables.items():
        _write(folder / f"{name}.csv", table.data, digits=5)
    for name, table in by_set.items():
        _write(folder / f"{name}.csv", compact(table), digits=4)
    environment = summary["environment"]
    told = [each for each in arguments if not each.lstrip("+~").startswith(SILENT)]
    text = README.format(
        command=shlex.join(["python", "-m", "lpo.study", *told]),
        notes=" ".join(f"{note}." for note in notes),
        captions="\n".join(f"* `{name}.csv`: {table.caption}" for name, table in tables.items()),
        commit=environment["git_commit"],
        date=date.today().isoformat(),
        device=environment["device"],
        jax=environment["versions"]["jax"],
    )
    write_text(folder / "README.md", text)


def compact(table: pd.DataFrame) -> pd.DataFrame:
    """The columns of `set_table` that carry its message, intervals as half their width."""
    columns = {name: table[name] for name in ("architecture", "method", "test_set", "mean")}
    columns["mean_half"] = (table["seed_high"] - table["seed_low"]) / 2
    for name in ("minus_matched", "closed"):
        if name in table:
            columns[name] = table[name]
            columns[f"{name}_half"] = (table[f"{name}_high"] - table[f"{name}_low"]) / 2
    if "minus_matched_window_low" in table:
        ends = table["minus_matched_window_high"], table["minus_matched_window_low"]
        columns["minus_matched_window_half"] = (ends[0] - ends[1]) / 2
    for name in ("floor", "gap"):
        if name in table:  # the same for all methods of an architecture
            columns[name] = table[name].where(table["method"] == "dfl")
    if "nr_code" in table:
        columns["nr_code"] = table["nr_code"]
    return pd.DataFrame(columns)


def _write(path: Path, table: pd.DataFrame, digits: int) -> None:
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, float_format=f"%.{digits}g", lineterminator="\n")
