"""Files to logs, and every refusal with file, row, line and column."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from lpo.bandit.ope.readers import read_log
from lpo.errors import InputError

HEADER = "length,action,reward,propensity,hour"
ROWS = ["120,b,0.5,0.25,1", "7, a ,-1,1,2", "9.5,b,2e-1,0.125,3"]


@pytest.fixture
def write(tmp_path):
    def write(rows, header=HEADER, name="log.csv"):
        path = tmp_path / name
        path.write_text("\n".join([header, *rows]))
        return path

    return write


def refusal(path, **options):
    with pytest.raises(InputError) as error:
        read_log(path, **options)
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


def test_a_log_is_read(write):
    log = read_log(write(ROWS))
    np.testing.assert_array_equal(log.contexts, [[120, 1], [7, 2], [9.5, 3]])
    np.testing.assert_array_equal(log.actions, [1, 0, 1])
    np.testing.assert_array_equal(log.rewards, [0.5, -1.0, 0.2])
    np.testing.assert_array_equal(log.propensities, [0.25, 1.0, 0.125])
    assert (log.context_names, log.action_names) == (("length", "hour"), ("a", "b"))


def test_columns_and_actions_may_be_chosen(write):
    path = write(["3,b,0.5,1"], "arm_seen,arm,gain,p")
    options = {"action": "arm", "reward": "gain", "propensity": "p"}
    log = read_log(path, **options, actions=["c", "b", "a"])
    assert (log.action_names, list(log.actions)) == (("c", "b", "a"), [1])
    assert read_log(path, **options, context=[]).contexts.shape == (1, 0)


def test_whole_numbers_are_in_order_of_size(write):
    log = read_log(write(["1,10,0,1,0", "1,9,0,1,0"]))
    assert (log.action_names, list(log.actions)) == (("9", "10"), [1, 0])
    assert read_log(write(["1,1,0,1,0"]), actions=range(3)).action_names == ("0", "1", "2")


@pytest.mark.parametrize("taken", [["b", "a", "b"], [10, 9, 10], [10.0, 9.0, 10.0], "category"])
def test_parquet_says_the_same(tmp_path, taken):
    taken = pd.Categorical(["b", "a", "b"]) if isinstance(taken, str) else taken
    frame = pd.DataFrame({"x": np.arange(3, dtype=np.float32), "action": taken})
    frame["reward"] = [True, False, True]
    frame["propensity"] = 0.5
    frame.to_parquet(tmp_path / "log.parquet")
    log = read_log(tmp_path / "log.parquet")
    assert list(log.actions) == [1, 0, 1]
    assert log.action_names in (("a", "b"), ("9", "10"))
    np.testing.assert_array_equal(log.rewards, [1.0, 0.0, 1.0])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("7,a,1,,2", "column `propensity`: is empty; must be above 0 and at most 1."),
        ("7,a,1,0,2", "column `propensity`: must be above 0 and at most 1, got 0."),
        ("7,a,1,-0.5,2", "column `propensity`: must be above 0 and at most 1, got -0.5."),
        ("7,a,1,1.5,2", "column `propensity`: must be above 0 and at most 1, got 1.5."),
        ("7,a,1,nan,2", "column `propensity`: must be above 0 and at most 1, got nan."),
        ("7,a,1,half,2", "column `propensity`: 'half' is not above 0 and at most 1."),
        ("7,a,nan,1,2", "column `reward`: must be finite, got nan."),
        ("7,a,inf,1,2", "column `reward`: must be finite, got inf."),
        ("7,a,,1,2", "column `reward`: is empty; must be a finite number."),
        ("7,a,1,1,-inf", "column `hour`: must be finite, got -inf."),
        ("x,a,1,1,2", "column `length`: 'x' is not a finite number."),
        ("7, ,1,1,2", "column `action`: is empty; must be a name or a whole number."),
        ("7,z,1,1,2", "column `action`: unknown action 'z'; must be one of a, b."),
    ],
)
def test_a_bad_cell_is_named_by_row_line_and_column(write, row, message):
    path = write([*ROWS, row])
    assert refusal(path, actions=["a", "b"]) == f"row 4 (line 5), {message}"


@pytest.mark.parametrize("row", ["7,a,1,1", "7,a,1,1,2,3"])
def test_a_row_of_another_length_is_refused(write, row):
    found = refusal(write([*ROWS, row]))
    assert found == f"row 4 (line 5): has {len(row.split(','))} cells, the header has 5."


def test_files_that_are_no_logs(write, tmp_path):
    assert refusal(tmp_path / "none.csv") == "no such file."
    (tmp_path / "empty.csv").touch()
    assert refusal(tmp_path / "empty.csv") == "is empty; the first line must name the columns."
    assert refusal(write([])) == "has a header but no rows."
    assert "unknown kind of file" in refusal(write(ROWS, name="log.txt"))


def test_columns_that_are_missing_or_asked_for_twice(write):
    path = write(ROWS)
    found = "found `length`, `action`, `reward`, `propensity`, `hour`."
    assert refusal(path, propensity="p") == f"no column `p`; {found}"
    assert refusal(path, context=["length", "day"]) == f"no column `day`; {found}"
    twice = "column `reward` is asked for in more than one role."
    assert refusal(path, context=["length", "reward"]) == twice
    assert refusal(path, propensity="reward") == twice
    with pytest.raises(InputError, match="`actions` must be distinct names"):
        read_log(path, actions=["a", "a"])


def test_bad_cells_of_parquet_are_named_by_row(tmp_path):
    path = tmp_path / "log.parquet"

    def table(**change):
        columns = {"x": [1.0, 2.0], "action": [0.0, 1.0], "reward": [0.0, 1.0]}
        parquet.write_table(pa.table(columns | {"propensity": [0.5, 0.5]} | change), path)
        return path

    assert refusal(table(propensity=[0.5, None])) == (
        "row 2, column `propensity`: is empty; must be above 0 and at most 1."
    )
    assert refusal(table(action=[0.0, 0.5])) == (
        "row 2, column `action`: must be a name or a whole number, got 0.5."
    )
    assert "row 1, column `x`: '[1.0, 2.0]' is not a finite number." in (
        refusal(table(x=[[1.0, 2.0], [3.0, 4.0]]))
    )
