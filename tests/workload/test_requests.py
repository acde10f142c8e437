"""Requests one by one: the rows of a file, in any form, and the refusals of a trace."""

import gzip

import numpy as np
import pandas as pd
import pytest

from lpo.errors import InputError
from lpo.workload.readers import Columns, load_trace
from lpo.workload.requests import Requests, stream_requests

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
TEXT = (
    HEADER + "2023-11-16 18:15:46.5,374,44\n2023-11-16 18:15:46.5,396,109\n2023-11-16 18:16:12,7,3"
)


def whole(path, **options) -> Requests:
    return Requests(*map(np.concatenate, zip(*stream_requests(path, **options), strict=True)))


def test_rows_come_as_they_are(tmp_path):
    plain, packed = tmp_path / "a.csv", tmp_path / "a.csv.gz"
    plain.write_text(TEXT)
    packed.write_bytes(gzip.compress(TEXT.encode()))
    columnar = tmp_path / "a.parquet"
    pd.read_csv(plain, parse_dates=["TIMESTAMP"]).to_parquet(columnar)
    for path in (plain, packed, columnar):
        found = whole(path)
        np.testing.assert_array_equal(found.context, [374, 396, 7])
        np.testing.assert_array_equal(found.generated, [44, 109, 3])
        np.testing.assert_array_equal(np.diff(found.time_ns), [0, 25_500_000_000])


def test_other_columns_seconds_and_progress(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("t,in,out\n0.5,1,2\n2,3,4\n")
    read = []
    found = whole(path, columns=Columns("t", "in", "out"), progress=read.append)
    np.testing.assert_array_equal(found.time_ns, [500_000_000, 2_000_000_000])
    assert sum(read) == 2


def test_the_real_trace_has_the_tokens_of_its_series(azure_root):
    path = azure_root / "azure_llm_2023_conv.csv"
    found = whole(path)
    assert len(found.time_ns) == 19_366
    assert found.context.sum() == load_trace(path).tokens.sum()
    both = load_trace(path, tokens="total").tokens.sum()
    assert found.context.sum() + found.generated.sum() == both


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("2023-11-16 18:15:46,1,1", "row 4 (line 5), column `TIMESTAMP`: is earlier than the row"),
        ("2023-11-16 18:17:00,1.5,1", "column `ContextTokens`: 1.5 is not a whole number"),
        ("2023-11-16 18:17:00,1,-1", "column `GeneratedTokens`: -1 is a negative count"),
        ("soon,1,1", "column `TIMESTAMP`: 'soon' is not a time stamp"),
        ("2023-11-16 18:17:00,1", "row 4 (line 5): has 2 cells, the header has 3"),
    ],
)
def test_a_bad_row_is_refused_by_its_place(tmp_path, row, message):
    path = tmp_path / "a.csv"
    path.write_text(f"{TEXT}\n{row}\n")
    with pytest.raises(InputError) as error:
        whole(path)
    assert str(error.value).startswith(f"{path}: ") and message in str(error.value)


def test_a_file_without_rows_or_columns_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(HEADER)
    with pytest.raises(InputError, match="a header but no rows"):
        whole(path)
    path.write_text("TIMESTAMP,ContextTokens\n1,2\n")
    with pytest.raises(InputError, match="no column `GeneratedTokens`"):
        whole(path)
