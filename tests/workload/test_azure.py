"""The public Azure traces against the figures published with them."""

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.workload.azure import AZURE_FILES, load_azure

# name: bins, empty bins, least, largest and mean demand of the non-empty 5 s bins
TABLE = {
    "conv_2023": (701, 0, 374, 106_957, 31_899.96),
    "code_2023": (688, 455, 1_684, 502_946, 77_510.62),
    "conv_2024": (60_480, 0, 87_454, 804_962, 382_750.18),
    "code_2024": (60_479, 0, 272, 1_273_855, 196_691.64),
}


@pytest.fixture(scope="module")
def workload(azure_root):
    return load_azure(azure_root)


@pytest.mark.parametrize("name", TABLE)
def test_series_has_the_published_figures(workload, name):
    bins, empty, least, largest, mean = TABLE[name]
    series = workload.series[name]
    filled = series.tokens[series.tokens > 0]
    assert (len(series.tokens), np.sum(series.tokens == 0)) == (bins, empty)
    assert (filled.min(), filled.max()) == (least, largest)
    assert round(filled.mean(), 2) == mean
    assert series.source.empty_bins == empty
    assert series.source.sha256 == AZURE_FILES[name].sha256
    assert (series.name, series.bin_s) == (name, 5.0)


def test_conversation_of_2024_is_trained_on_and_only_2023_has_a_calendar(workload):
    assert workload.train == "conv_2024"
    assert list(workload.series) == ["conv_2024", "code_2024", "conv_2023", "code_2023"]
    assert {name: series.start for name, series in workload.series.items()} == {
        "conv_2024": None,
        "code_2024": None,
        "conv_2023": "2023-11-16T18:15:45",
        "code_2023": "2023-11-16T18:17:00",
    }


def test_a_missing_root_or_file_says_how_to_get_it(tmp_path):
    with pytest.raises(InputError, match=r"`workload.root` is not set: .*lpo.workload download"):
        load_azure(None)
    with pytest.raises(InputError, match="is no folder, so there is no azure_llm_2024_conv_5s"):
        load_azure(tmp_path / "none")
    for entry in AZURE_FILES.values():
        (tmp_path / entry.file).write_text("ContextTokens\n1\n")
    (tmp_path / "azure_llm_2023_code.csv").unlink()
    with pytest.raises(InputError, match=r"has no azure_llm_2023_code.csv: .*LPO_DATA"):
        load_azure(tmp_path)
