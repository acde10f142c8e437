"""`python -m lpo.workload`: what it prints, its exit codes, one line for bad input."""

import os
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest

from lpo.workload.__main__ import main
from lpo.workload.readers import load_trace

TRACE = """TIMESTAMP,ContextTokens,GeneratedTokens
2024-05-10 23:59:59.5,10,1
2024-05-11 00:00:01.25,20,2
2024-05-11 00:02:00,30,3
"""


@pytest.fixture
def trace(tmp_path):
    path = tmp_path / "trace.csv"
    path.write_text(TRACE)
    return path


def test_bin_writes_a_series_that_describe_reads(trace, tmp_path, capsys):
    output = tmp_path / "series.parquet"
    assert main(["bin", str(trace), "--bin-s", "60", "--tokens", "total", "-o", str(output)]) == 0
    assert capsys.readouterr().out == f"{output}: 4 bins of 60 s\n"
    np.testing.assert_array_equal(load_trace(output).tokens, [11, 22, 0, 33])

    assert main(["describe", str(output)]) == 0
    printed = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()[:3])
    assert printed["name"] == "series"
    assert printed["first"] == "bin        2024-05-10T23:59:00"
    assert printed["bins"] == "4 of 60 s (0.07 hours)"


def test_describe_prints_the_gaps_and_names_the_bins_left_out(tmp_path, capsys):
    path = tmp_path / "series.csv"
    path.write_text("when,demand\n0,5\n10,7\n40,9\n")
    columns = ["--time-column", "when", "--series-column", "demand"]
    assert main(["describe", str(path), "--bin-s", "20", *columns]) == 0
    out, err = capsys.readouterr()
    assert "bins             2 of 20 s" in out
    assert "bins without row 2 (zeros)" in out
    assert "tokens a bin     min 0, mean 6.00, max 12" in out
    assert (
        err == f"note: {path}: the last 1 bins of 10 s make no whole bin of 20 s and are left out\n"
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["describe", "{trace}", "--bin-s", "0"], "`bin_s` must be"),
        (["describe", "{trace}", "--context-column", "in"], "no column `in`"),
        (["describe", "{folder}/none.csv"], "none.csv: no such file"),
        (["bin", "{trace}", "-o", "{folder}/none/series.csv"], "cannot be written"),
        (["bin", "{trace}", "-o", "{folder}"], "the name must end in"),
        (["bin", "{trace}", "-o", "{folder}/series.txt"], "the name must end in"),
        (["download", "--root", "{trace}"], "cannot make this folder"),
    ],
)
def test_bad_input_gives_one_line_and_exit_code_2(trace, tmp_path, capsys, arguments, problem):
    filled = [text.format(trace=trace, folder=tmp_path) for text in arguments]
    assert main(filled) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert problem in err
    assert [path.name for path in tmp_path.iterdir()] == ["trace.csv"]


@pytest.mark.parametrize(
    "arguments", [[], ["bine"], ["bin", "x.csv"], ["describe", "x.csv", "--bin-s", "soon"]]
)
def test_a_bad_command_line_gives_one_line_and_exit_code_2(capsys, arguments):
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    assert leaving.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_failed_download_gives_one_line_and_exit_code_1(tmp_path, capsys):
    arguments = ["download", "--root", str(tmp_path), "--mirror", "http://127.0.0.1:9"]
    assert main(arguments) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "cannot fetch http://127.0.0.1:9/azure_llm_2024_conv_5s.csv" in err


def test_help_names_every_subcommand(capsys):
    with pytest.raises(SystemExit) as leaving:
        main(["--help"])
    assert leaving.value.code == 0
    out = capsys.readouterr().out
    assert all(f"\n    {name} " in out for name in ("download", "bin", "describe"))


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_an_interrupt_gives_exit_code_130_and_leaves_no_file(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        command = [sys.executable, "-m", "lpo.workload", "download", "--root", str(tmp_path)]
        process = subprocess.Popen(
            [*command, "--mirror", address], stderr=subprocess.PIPE, text=True
        )
        silent.settimeout(60)
        with silent.accept()[0]:  # it waits for an answer now
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "python -m lpo.workload: interrupted\n")
    assert list(tmp_path.iterdir()) == []
