"""Tables and progress on the terminal."""

import sys

import numpy as np
import pandas as pd

from lpo.runs import print_table, progress


def test_table_is_compact_and_marks_missing_values(capsys):
    table = pd.DataFrame(
        {"method": ["dfl", "oracle"], "cost": [0.123456, np.nan], "n_windows": [1000, 7]}
    )
    print_table(table, "Regret")
    out = capsys.readouterr().out
    assert "Regret" in out
    rows = [line.split() for line in out.splitlines() if line.strip()]
    assert ["dfl", "0.1235", "1000"] in rows
    assert ["oracle", "–", "7"] in rows


def test_long_rows_are_not_wrapped_in_a_pipe(capsys):
    print_table(pd.DataFrame({f"a_long_column_name_{i}": [1.0] for i in range(6)}))
    lines = [line for line in capsys.readouterr().out.splitlines() if "column" in line]
    assert len(lines) == 1


def test_progress_is_silent_when_stderr_is_no_terminal(capsys):
    with progress(10, "score") as advance:
        advance(4, {"loss": 0.5})
        advance(6)
    assert capsys.readouterr() == ("", "")


def test_progress_shows_label_and_note_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress(10, "score", done=2) as advance:
        advance(8, {"loss": 0.123456})
    err = capsys.readouterr().err
    assert "score" in err
    assert "10/10" in err
    assert "loss=0.1235" in err
