"""Catalogues from CSV files, good and bad."""

import re
from pathlib import Path

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.provision.fleet import Configuration, default_catalogue, read_catalogue

HEADER = ",".join(Configuration._fields)
ROW = "H200 x1,Llama,H200,fp8,1,7000,3.59,602,120,275"


def written(folder, *lines):
    path = folder / "catalogue.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_default_catalogue_survives_a_file(tmp_path):
    choices = default_catalogue()
    rows = [",".join(map(str, row)) for row in zip(*choices, strict=True)]
    found = read_catalogue(written(tmp_path, HEADER, *rows))
    assert found[:4] == choices[:4]
    for a, b in zip(found[4:], choices[4:], strict=True):
        np.testing.assert_array_equal(a, b)


def test_columns_in_any_order_and_empty_lines(tmp_path):
    swapped = [HEADER.split(",")[::-1], ROW.split(",")[::-1]]
    path = written(tmp_path, ",".join(swapped[0]), "", ",".join(swapped[1]))
    assert read_catalogue(path).names == ("H200 x1",)
    assert read_catalogue(path).tokens_per_s[0] == 7000


def test_the_example_of_the_documentation_can_be_read(tmp_path):
    page = (Path(__file__).parents[3] / "docs" / "fleet.md").read_text()
    (example,) = re.findall(r"```csv\n(.*?)```", page, flags=re.DOTALL)
    assert len(read_catalogue(written(tmp_path, example.strip())).names) >= 2


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "is empty"),
        ([HEADER], "no rows"),
        ([HEADER.replace("usd_per_hour", "usd"), ROW], "columns must be .*found .*`usd`"),
        ([HEADER, ROW + ",1"], r"row 1 \(line 2\): has 11 cells, the header has 10"),
        ([HEADER, ROW, "", ROW.replace("x1", "x2").replace("3.59", "cheap")],
         r"row 2 \(line 4\), column `usd_per_hour`: 'cheap' is not a number"),
        ([HEADER, ROW.replace("7000", "0")], r"row 1 .*`tokens_per_s`: must be positive, got 0"),
        ([HEADER, ROW.replace("7000", "nan")], "`tokens_per_s`: must be positive"),
        ([HEADER, ROW.replace("Llama", " ")], "`model`: is empty"),
        ([HEADER, ROW, ROW], r"row 2 \(line 3\), column `name`: `H200 x1` appears more"),
        ([HEADER, ROW.replace(",1,", ",1.5,")], "`tensor_parallel`: must be a whole"),
        ([HEADER, ROW.replace("602", "60")], "`active_w`: must be at least"),
    ],
)  # fmt: skip
def test_bad_files_are_refused_by_row_and_column(tmp_path, lines, message):
    path = written(tmp_path, *lines)
    with pytest.raises(InputError, match=message) as error:
        read_catalogue(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_missing_or_unreadable_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_catalogue(tmp_path / "none.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(InputError, match="cannot be read"):
        read_catalogue(tmp_path / "bytes.csv")
