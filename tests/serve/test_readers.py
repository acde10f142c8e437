"""Files of measurements and of published fits: what is read, and what is refused in one line."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from lpo.errors import InputError
from lpo.serve import TwoRegime, TwoRegimeKV, read_measurements, read_published_fit

HARDWARE = Path(__file__).parents[2] / "conf" / "hardware"


def test_measurements_are_read(tmp_path):
    path = tmp_path / "times.csv"
    path.write_text("time_s, tokens\n0.022,8\n\n0.033,256\n")
    table = read_measurements(path)
    assert list(table.columns) == ["time_s", "tokens"]
    np.testing.assert_array_equal(table["tokens"], [8.0, 256.0])
    path.write_text("tokens,time_s,kv_tokens\n8,0.022,0\n")
    assert read_measurements(path)["kv_tokens"].tolist() == [0.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("tokens,time_s\n", "has a header but no rows"),
        (
            "tokens,time_ms\n8,22\n",
            r"must be `tokens`, `time_s` .* found `tokens`, `time_ms`",
        ),
        ("tokens,time_s\n8,0.02\n9\n", r"row 2 \(line 3\): has 1 cells, the header has 2"),
        ("tokens,time_s\n8,fast\n", r"row 1 \(line 2\), column `time_s`: 'fast' is no number"),
        ("tokens,time_s\n8,nan\n", "column `time_s`: must be finite and positive"),
        ("tokens,time_s\n0,0.02\n", "column `tokens`: must be finite and positive, got 0"),
        (
            "tokens,time_s,kv_tokens\n8,0.02,-1\n",
            "`kv_tokens`: must be finite and at least 0",
        ),
    ],
)
def test_bad_measurements_are_refused_by_file_row_and_column(tmp_path, content, message):
    path = tmp_path / "times.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=message) as error:
        read_measurements(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("read", [read_measurements, read_published_fit])
def test_files_that_cannot_be_read_are_named(tmp_path, read):
    with pytest.raises(InputError, match=r"nowhere: no such file"):
        read(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"cannot be read"):
        read(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"binary: cannot be read"):
        read(tmp_path / "binary")


def test_a_published_fit_is_read():
    fit = read_published_fit(HARDWARE / "a100_qwen_8b.yaml")
    assert fit.iteration_time == TwoRegime(0.0174, 6.2e-5, 0.022)
    assert (fit.gpu, fit.model, fit.r2, fit.table) == ("A100-SXM4-40GB", "Qwen-8B", 0.998, None)
    fit = read_published_fit(HARDWARE / "h100_llama_2_7b_tp1.yaml")
    assert isinstance(fit.iteration_time, TwoRegimeKV)
    assert fit.table is not None
    assert fit.table.solo(4096) == pytest.approx(0.08432)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"colour": "red"}, "key `colour` is not known"),
        ({"beta": None}, "key `beta` must be a number, got None"),
        ({"beta": "6.2 us"}, "key `beta` must be a number, got '6.2 us'"),
        ({"beta": -1.0}, "`beta` must be at least 0"),
        ({"gpu": ""}, "key `gpu` must be text"),
        ({"tokens": [1, 2]}, "equally long, or both null"),
        (
            {"tokens": [2, 1], "time_s": [0.1, 0.2]},
            r"key `tokens` must be null .* ascending",
        ),
        ({"r2": True}, "key `r2` must be a number"),
    ],
)
def test_a_bad_published_fit_is_refused_by_file_and_key(tmp_path, changed, message):
    content = yaml.safe_load((HARDWARE / "a100_qwen_8b.yaml").read_text()) | changed
    path = tmp_path / "fit.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=message) as error:
        read_published_fit(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_what_is_no_mapping_of_all_keys_is_refused(tmp_path):
    path = tmp_path / "fit.yaml"
    for text, message in (
        ("- 1\n", "must hold keys and values"),
        ("name: [\n", "is no YAML"),
        ("name: a\n", "key `gpu` is missing"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            read_published_fit(path)
