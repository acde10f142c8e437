"""Files to series: every accepted form, and every refusal with file, row, line and column."""

import gzip
import hashlib
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from lpo.errors import InputError
from lpo.workload import tables
from lpo.workload.readers import Columns, load_trace
from lpo.workload.series import Series, coarsen, part
from lpo.workload.writers import write_series

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens"
ROWS = [
    ("2023-11-16 18:15:46.6805900", 374, 44),
    ("2023-11-16 18:15:50.9951690", 396, 109),
    ("2023-11-16 18:15:50.9951690", 100, 1),
    ("2023-11-16 18:16:12.0000000", 7, 3),
]


def text_of(rows, header=HEADER, end="\n"):
    return end.join([header, *(",".join(map(str, row)) for row in rows)])


@pytest.fixture
def write(tmp_path):
    def write(text, name="trace.csv"):
        path = tmp_path / name
        raw = text if isinstance(text, bytes) else text.encode()
        path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
        return path

    return write


def refusal(path, **options):
    """The message of the refusal, which is one line and begins with the file."""
    with pytest.raises(InputError) as error:
        load_trace(path, **options)
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message.removeprefix(f"{path}: ")


# what is read


def test_requests_are_summed_in_bins_since_midnight(write):
    path = write(text_of(ROWS))
    series = load_trace(path, bin_s=5)
    np.testing.assert_array_equal(series.tokens, [374, 496, 0, 0, 0, 7])
    assert series.start == "2023-11-16T18:15:45"
    assert (series.name, series.bin_s) == ("trace", 5.0)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert series.source == (str(path), digest, 4, 3)


def test_total_tokens_add_the_generated_ones(write):
    series = load_trace(write(text_of(ROWS)), bin_s=5, tokens="total")
    np.testing.assert_array_equal(series.tokens, [418, 606, 0, 0, 0, 10])


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("name", ["trace.csv", "trace.csv.gz", "TRACE.CSV"])
@pytest.mark.parametrize("last", ["", "end"])
def test_line_ends_compression_and_a_mark_of_byte_order_do_not_matter(write, end, name, last):
    text = "\ufeff" + text_of(ROWS, end=end) + (end if last else "")
    np.testing.assert_array_equal(load_trace(write(text, name)).tokens, [374, 496, 0, 0, 0, 7])


@pytest.mark.parametrize(
    ("stamps", "start"),
    [
        (["2024-05-10 00:00:00.009930+00:00", "2024-05-10 00:00:05+00:00"], "2024-05-10T00:00:00Z"),
        (["2024-05-10T02:00:00.009930+0200", "2024-05-10T00:00:05Z"], "2024-05-10T00:00:00Z"),
        (["2024-05-10 00:00:00.123456789", "2024-05-10 00:00:05"], "2024-05-10T00:00:00"),
        (["2024-05-10", "2024-05-10 00:00:05.1"], "2024-05-10T00:00:00"),
        (["0.25", "5"], None),
        (["1715299200", "1715299205.5"], None),
    ],
)
def test_forms_of_time(write, stamps, start):
    rows = [(stamp, count, 0) for stamp, count in zip(stamps, (3, 4), strict=True)]
    series = load_trace(write(text_of(rows)), bin_s=5)
    np.testing.assert_array_equal(series.tokens, [3, 4])
    assert series.start == start


def frame(rows=ROWS):
    table = pd.DataFrame(rows, columns=HEADER.split(","))
    return table.assign(TIMESTAMP=pd.to_datetime(table["TIMESTAMP"]))


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f,
        lambda f: f.assign(TIMESTAMP=f["TIMESTAMP"].dt.tz_localize("UTC")),
        lambda f: f.assign(TIMESTAMP=f["TIMESTAMP"].astype("datetime64[ms]")),
        lambda f: f.assign(TIMESTAMP=f["TIMESTAMP"].astype(str)),
        lambda f: f.assign(ContextTokens=f["ContextTokens"].astype("float32")),
        lambda f: f.assign(ContextTokens=f["ContextTokens"].astype("uint16")),
        lambda f: f[["GeneratedTokens", "ContextTokens", "TIMESTAMP"]],
    ],
)
def test_parquet_columns_of_several_types(tmp_path, change):
    path = tmp_path / "trace.parquet"
    change(frame()).to_parquet(path, row_group_size=2)
    series = load_trace(path)
    np.testing.assert_array_equal(series.tokens, [374, 496, 0, 0, 0, 7])
    assert series.start is not None
    assert series.start.removesuffix("Z") == "2023-11-16T18:15:45"


def test_columns_of_other_names(write):
    path = write("when,in,out\n0,5,1\n61,6,2\n")
    columns = Columns(time="when", context="in", generated="out")
    series = load_trace(path, bin_s=60, columns=columns, tokens="total")
    np.testing.assert_array_equal(series.tokens, [6, 8])


def test_many_rows_equal_pandas_resampling(tmp_path):
    rng = np.random.default_rng(0)
    n = 120_000  # several blocks of text and several Parquet batches
    start = datetime(2024, 5, 10, 23, 50)
    offsets = np.sort(rng.uniform(0, 40_000, n))
    times = pd.DatetimeIndex([start + timedelta(seconds=s) for s in offsets])
    table = pd.DataFrame(
        {
            "TIMESTAMP": times,
            "ContextTokens": rng.integers(0, 9000, n),
            "GeneratedTokens": rng.integers(0, 900, n),
        }
    )
    by_bin = table.set_index("TIMESTAMP").resample("7s", origin="start_day").sum().sum(axis=1)
    table.to_csv(tmp_path / "trace.csv", index=False)
    table.to_parquet(tmp_path / "trace.parquet")
    for name in ("trace.csv", "trace.parquet"):
        seen = []
        series = load_trace(tmp_path / name, bin_s=7, tokens="total", progress=seen.append)
        np.testing.assert_array_equal(series.tokens, by_bin.to_numpy())
        assert series.start == by_bin.index[0].isoformat()
        assert (sum(seen), len(seen) > 1) == (n, True)


def test_memory_does_not_grow_with_the_file(tmp_path, monkeypatch):
    # Arrow reads some forty blocks ahead: small blocks let a small file tell.
    monkeypatch.setattr(tables, "_BLOCK_BYTES", 1 << 16)
    n = 400_000
    times = np.datetime64("2024-05-10", "us") + np.arange(n) * np.timedelta64(1000, "us")
    table = {"TIMESTAMP": times, "ContextTokens": np.full(n, 10**6), "GeneratedTokens": np.ones(n)}
    csv.write_csv(pa.table(table), tmp_path / "trace.csv")
    usual = pa.default_memory_pool()
    counted = pa.proxy_memory_pool(usual)
    pa.set_memory_pool(counted)
    try:
        series = load_trace(tmp_path / "trace.csv", bin_s=60)
    finally:
        pa.set_memory_pool(usual)
    assert series.tokens.sum() == n * 10**6
    assert counted.max_memory() < (tmp_path / "trace.csv").stat().st_size / 3


# series


def test_a_series_without_time_has_bins_of_five_seconds(write):
    series = load_trace(write("ContextTokens\n386027\n262436\n0\n"))
    np.testing.assert_array_equal(series.tokens, [386027, 262436, 0])
    assert (series.bin_s, series.start) == (5.0, None)
    assert series.source is not None
    assert series.source.empty_bins == 0  # a row that says zero is data


def test_a_series_is_summed_to_longer_bins_and_the_partial_one_is_noted(write):
    path = write("demand\n" + "\n".join(map(str, range(1, 8))))
    notes = []
    columns = Columns(series="demand")
    series = load_trace(path, bin_s=30, series_bin_s=10, columns=columns, note=notes.append)
    np.testing.assert_array_equal(series.tokens, [6, 15])
    assert notes == [f"{path}: the last 1 bins of 10 s make no whole bin of 30 s and are left out"]


def test_the_step_of_a_series_is_that_of_its_time_column(write):
    path = write("TIMESTAMP,ContextTokens\n2024-01-01,1.5\n2024-01-01 00:05:00,2\n")
    series = load_trace(path)
    np.testing.assert_array_equal(series.tokens, [1.5, 2])
    assert (series.bin_s, series.start) == (300.0, "2024-01-01T00:00:00")


def test_missing_bins_of_a_series_become_counted_zeros(write):
    series = load_trace(write("TIMESTAMP,Tokens\n60,1\n120,2\n300,3\n"))
    np.testing.assert_array_equal(series.tokens, [1, 2, 0, 0, 3])
    assert series.source is not None
    assert (series.source.rows, series.source.empty_bins) == (3, 2)


def test_a_series_of_both_token_columns_can_be_summed(write):
    text = "ContextTokens,GeneratedTokens\n1,10\n2,20\n"
    total = load_trace(write(text), kind="series", tokens="total")
    np.testing.assert_array_equal(total.tokens, [11, 22])
    np.testing.assert_array_equal(load_trace(write(text), kind="series").tokens, [1, 2])


def test_kind_overrides_what_the_columns_suggest(write):
    text = text_of([("0", 1, 0), ("5", 2, 0), ("15", 3, 0)])
    assert len(load_trace(write(text), bin_s=5, kind="requests").tokens) == 4
    np.testing.assert_array_equal(load_trace(write(text), kind="series").tokens, [1, 2, 0, 3])


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet"])
@pytest.mark.parametrize("start", [None, "2024-05-10T23:59:55", "2024-05-10T00:00:00.5Z"])
@pytest.mark.parametrize("tokens", [[3.0, 0.0, 2.0**40], [0.5, 1.25, 0.0]])
def test_what_is_written_is_read_back(tmp_path, suffix, start, tokens):
    series = Series("demand", np.array(tokens), 0.25, start, None)
    write_series(series, tmp_path / f"demand.{suffix}")
    again = load_trace(tmp_path / f"demand.{suffix}")
    np.testing.assert_array_equal(again.tokens, series.tokens)
    assert (again.name, again.bin_s) == ("demand", 0.25)
    if start is None:
        assert again.start is None
    else:
        assert again.start is not None
        assert pd.Timestamp(again.start) == pd.Timestamp(start)
    assert [path.name for path in tmp_path.iterdir()] == [f"demand.{suffix}"]


def test_a_part_of_a_series_knows_when_it_starts():
    series = Series("a", np.arange(10.0), 2.5, "2024-02-28T23:59:55Z", None)
    later = part(series, 2, 5)
    np.testing.assert_array_equal(later.tokens, [2, 3, 4])
    assert later.start == "2024-02-29T00:00:00Z"
    assert part(series, 1, 2).start == "2024-02-28T23:59:57.500000000Z"
    for lo, hi in [(-1, 3), (3, 3), (0, 11)]:
        with pytest.raises(InputError, match="must lie within"):
            part(series, lo, hi)


def test_coarsening_sums_and_refuses_what_cannot_be_summed():
    series = Series("a", np.arange(7.0), 5.0, None, None)
    np.testing.assert_array_equal(coarsen(series, 15).tokens, [3, 12])
    assert coarsen(series, 5) == series
    for bin_s in (2.5, 12, 0, -5, float("nan"), float("inf")):
        with pytest.raises(InputError, match="whole multiple"):
            coarsen(series, bin_s)
    with pytest.raises(InputError, match="too short"):
        coarsen(series, 60)


# what is refused


def with_cell(row, column, value):
    """ROWS with one cell changed; `row` counts from 1."""
    rows = [list(r) for r in ROWS]
    rows[row - 1][HEADER.split(",").index(column)] = value
    return text_of(rows)


@pytest.mark.parametrize(
    ("row", "column", "value", "problem"),
    [
        (2, "TIMESTAMP", "yesterday", "'yesterday' is not a time stamp"),
        (2, "TIMESTAMP", "", "empty cell, expected a time stamp"),
        (2, "TIMESTAMP", "2023-11-16 18:15:50+00:00", "of the same form as in row 1"),
        (2, "TIMESTAMP", "3023-11-16 18:15:50", "years 1678 to 2261"),
        (2, "TIMESTAMP", "1700000000", "is not a time stamp"),
        (3, "TIMESTAMP", "2023-11-16 18:15:46", "is earlier than the row above"),
        (4, "TIMESTAMP", "2223-11-16 18:16:12", "lies more than 20,000,000 bins of 5 s"),
        (1, "TIMESTAMP", "16/11/2023", "'16/11/2023' is not a time stamp"),
        (4, "ContextTokens", "-1", "-1 is a negative count"),
        (4, "ContextTokens", "nan", "nan is not a finite count"),
        (4, "ContextTokens", "inf", "inf is not a finite count"),
        (4, "ContextTokens", "1e300", "is above 2^53"),
        (4, "ContextTokens", "12.5", "12.5 is not a whole number of tokens"),
        (1, "ContextTokens", "many", "'many' is not a whole number of tokens"),
        (1, "ContextTokens", "", "empty cell, expected a whole number of tokens"),
        (2, "GeneratedTokens", "-7", "-7 is a negative count"),
        (3, "GeneratedTokens", "1_0", "'1_0' is not a whole number"),
    ],
)
def test_a_bad_cell_is_placed(write, row, column, value, problem):
    message = refusal(write(with_cell(row, column, value)), bin_s=5, tokens="total")
    assert message.startswith(f"row {row} (line {row + 1}), column `{column}`: ")
    assert problem in message


@pytest.mark.parametrize(
    ("line", "problem"),
    [("2023-11-16 18:16:13,1", "has 2 cells"), ("2023-11-16 18:16:13,1,1,1", "has 4 cells")],
)
def test_a_ragged_row_is_placed(write, line, problem):
    message = refusal(write(text_of(ROWS) + "\n" + line + "\n"))
    assert message == f"row 5 (line 6): {problem}, the header has 3."


def test_an_empty_line_is_refused(write):
    assert refusal(write(text_of(ROWS) + "\n\n")).startswith("row 5 (line 6), column `TIMESTAMP`")
    assert refusal(write("Tokens\n1\n\n2\n")).startswith("row 2 (line 3), column `Tokens`: empty")


@pytest.mark.parametrize("fault", [("ContextTokens", "x"), ("TIMESTAMP", "x"), None])
def test_a_fault_far_down_the_file_is_placed_exactly(write, fault):
    n, bad = 150_000, 123_456
    rows: list[list[object]] = [[i, 1, 1] for i in range(n)]
    if fault is None:
        rows[bad - 1].append("x")
    else:
        rows[bad - 1][HEADER.split(",").index(fault[0])] = fault[1]
    place = f"row {bad} (line {bad + 1})" + ("" if fault is None else f", column `{fault[0]}`")
    assert refusal(write(text_of(rows))).startswith(place + ": ")


def test_numbers_that_must_be_milliseconds_are_refused(write):
    message = refusal(write(text_of([("1700000000000", 1, 1)])))
    assert "milliseconds?" in message


def test_a_missing_column_lists_those_found(write):
    message = refusal(write("TIMESTAMP,Input,Output\n0,1,1\n"), kind="requests")
    assert message == "no column `ContextTokens`; found `TIMESTAMP`, `Input`, `Output`."
    message = refusal(write("a\n1\n"), columns=Columns(series="b"))
    assert message == "no column `b`; found `a`."


def test_a_column_name_that_appears_twice_is_refused(write):
    assert "`a` appears more than once" in refusal(write("a,b,a\n1,2,3\n"))


@pytest.mark.parametrize(
    ("text", "name", "problem"),
    [
        ("", "trace.csv", "is empty"),
        ("\n\n", "trace.csv", "is empty"),
        (HEADER + "\n", "trace.csv", "has a header but no rows"),
        (HEADER, "trace.csv", "has a header but no rows"),
        (text_of(ROWS), "trace.txt", "unknown kind of file"),
        (text_of(ROWS), "trace.gz", "unknown kind of file"),
        (text_of(ROWS), "trace.parquet", "cannot be read"),
        (text_of(ROWS).encode("utf-16"), "trace.csv", "no column"),
        (HEADER.encode() + b"\n\xff,1,1\n", "trace.csv", "cannot be read"),
        ("\n" + text_of(ROWS), "trace.csv", "found none"),
    ],
)
def test_a_file_that_is_none_is_refused(write, text, name, problem):
    assert problem in refusal(write(text, name))


def test_a_broken_archive_is_refused(write, tmp_path):
    path = write(text_of(ROWS), "trace.csv.gz")
    path.write_bytes(path.read_bytes()[:-20])
    assert "cannot be read" in refusal(path)
    path.write_bytes(b"not gzip")
    assert "cannot be read" in refusal(path)
    assert refusal(tmp_path / "none.csv") == "no such file."
    (tmp_path / "folder.csv").mkdir()
    assert "cannot be read" in refusal(tmp_path / "folder.csv")


def test_parquet_faults_are_placed_by_row(tmp_path):
    path = tmp_path / "trace.parquet"
    frame().assign(ContextTokens=[1, None, 3, 4]).to_parquet(path)
    assert refusal(path).startswith("row 2, column `ContextTokens`: empty cell")
    frame().assign(ContextTokens=[True, False, True, True]).to_parquet(path)
    assert "has type bool" in refusal(path)
    frame().iloc[:0].to_parquet(path)
    assert refusal(path) == "has a header but no rows."
    parquet.write_table(pa.table({"Tokens": [1.0, float("nan")]}), path)
    assert refusal(path).startswith("row 2, column `Tokens`: nan")


def test_a_series_whose_time_is_not_regular_is_refused(write):
    path = write("TIMESTAMP,Tokens\n0,1\n5,2\n12,3\n")
    assert refusal(path).startswith("row 3 (line 4), column `TIMESTAMP`: is off the grid")
    assert "closest rows are 60 s apart" in refusal(
        write("TIMESTAMP,Tokens\n0,1\n60,2\n"), series_bin_s=5
    )
    assert "not later" in refusal(write("TIMESTAMP,Tokens\n5,1\n5,2\n"))
    assert "series_bin_s" in refusal(write("TIMESTAMP,Tokens\n5,1\n"))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"bin_s": 7}, "whole multiple of the series' own bin of 5 s, got 7 s"),
        ({"bin_s": 0}, "`bin_s` must be a number of seconds"),
        ({"series_bin_s": float("nan")}, "`bin_s` must be a number of seconds"),
        ({"kind": "trace"}, "`kind` must be auto, requests or series"),
        ({"tokens": "all"}, "`tokens` must be context or total"),
    ],
)
def test_options_that_do_not_fit_are_refused(write, options, problem):
    with pytest.raises(InputError, match=problem):
        load_trace(write("Tokens\n1\n2\n3\n"), **options)


def test_requests_that_lost_their_times_are_not_taken_for_a_series(tmp_path):
    path = tmp_path / "lost.csv"
    path.write_text("ContextTokens,GeneratedTokens\n5,1\n7,2\n")
    with pytest.raises(InputError, match=r"lost\.csv.*no time column `TIMESTAMP`.*kind=series"):
        load_trace(path)
    assert list(load_trace(path, kind="series").tokens) == [5.0, 7.0]


def test_a_named_time_column_must_be_there(tmp_path):
    path = tmp_path / "trace.csv"
    path.write_text("TIMESTAMP,ContextTokens\n2024-01-01 00:00:00,5\n")
    columns = Columns("Arrival", "ContextTokens", "GeneratedTokens")
    with pytest.raises(InputError, match="no time column `Arrival`; found `TIMESTAMP`"):
        load_trace(path, columns=columns)
