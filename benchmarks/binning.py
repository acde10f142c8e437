"""Binning a generated trace of requests: rows a second and peak memory, against pandas.

    python benchmarks/binning.py [--rows 20000000] [--peer-rows 20000000]

Each side runs in a process of its own, so that peak memory is its own; imports are not timed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
from measuring import report
from pyarrow import csv

BIN_S = 60

LPO = """
from lpo.workload.readers import load_trace
def binned(path):
    return load_trace(path, bin_s={bin_s}, tokens="total").tokens
"""

PANDAS = """
import pandas as pd
def binned(path):
    table = pd.read_csv(path, parse_dates=["TIMESTAMP"])
    tokens = table["ContextTokens"] + table["GeneratedTokens"]
    return tokens.groupby(table["TIMESTAMP"].dt.floor("{bin_s}s")).sum().to_numpy()
"""

MEASURE = """
import json, resource, sys, time
start = time.perf_counter()
tokens = binned(sys.argv[1])
seconds = time.perf_counter() - start
unit = 1 if sys.platform == "darwin" else 1024
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
print(json.dumps([seconds, peak / 1e6, len(tokens), float(tokens.sum())]))
"""


def generate(path: Path, rows: int) -> int:
    """A trace of `rows` requests, about 24 a second, like the public 2024 files; its tokens."""
    rng = np.random.default_rng(0)
    now = np.datetime64("2024-05-10T00:00:00", "us").astype(np.int64)
    names = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
    kinds = (pa.timestamp("us"), pa.int64(), pa.int64())
    total = 0
    with csv.CSVWriter(path, pa.schema(list(zip(names, kinds, strict=True)))) as writer:
        for start in range(0, rows, 1_000_000):
            n = min(1_000_000, rows - start)
            times = now + np.cumsum(rng.integers(0, 84_000, n))
            now = times[-1]
            context, generated = rng.integers(1, 8000, n), rng.integers(1, 800, n)
            total += int(context.sum() + generated.sum())
            columns = [pa.array(times).cast(kinds[0]), pa.array(context), pa.array(generated)]
            writer.write(pa.table(columns, names=list(names)))
    return total


def binned(program: str, path: Path, total: int) -> tuple[float, float]:
    """Seconds and peak megabytes of a program, whose tokens must add up to those generated."""
    code = program.format(bin_s=BIN_S) + MEASURE
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True
    )
    seconds, peak, _, tokens = json.loads(done.stdout)
    assert tokens == total, f"tokens lost: {tokens} of {total}"
    return seconds, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--peer-rows", type=int, help="fewer rows for pandas where memory is short")
    options = parser.parse_args()
    peer_rows = options.peer_rows or options.rows
    with tempfile.TemporaryDirectory() as folder:
        path, peer_path = Path(folder, "trace.csv"), Path(folder, "peer.csv")
        total = generate(path, options.rows)
        megabytes = path.stat().st_size / 1e6
        seconds, peak = binned(LPO, path, total)
        if peer_rows == options.rows:
            peer_path, peer_total = path, total
        else:
            peer_total = generate(peer_path, peer_rows)
        peer_seconds, peer_peak = binned(PANDAS, peer_path, peer_total)

    peer = f"pandas {version('pandas')} read_csv + groupby"
    setting = (
        f"{options.rows} rows, {megabytes:.0f} MB csv, bins of {BIN_S} s, checksum included; "
        f"peer on {peer_rows} rows; file in the page cache"
    )
    rates = options.rows / seconds, peer_rows / peer_seconds
    report("binning/rate", "rows/s", rates, peer, setting)
    report("binning/peak_memory", "MB", (peak, peer_peak), peer, setting)


if __name__ == "__main__":
    main()
