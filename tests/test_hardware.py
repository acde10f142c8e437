"""Data-sheet numbers that must agree with each other."""

import pytest

from lpo import hardware
from lpo.hardware import BYTES_PER_PARAMETER, GpuTier, ModelSize, peak_tflops, spare_memory_gb

TIERS = [entry for entry in vars(hardware).values() if isinstance(entry, GpuTier)]
MODELS = [entry for entry in vars(hardware).values() if isinstance(entry, ModelSize)]


@pytest.mark.parametrize("gpu", TIERS, ids=lambda gpu: gpu.name)
def test_a_tier_is_plausible(gpu):
    # INT8 runs at twice the dense FP16 rate; four times on GeForce, whose FP16 is held back
    assert gpu.int8 / gpu.fp16 == pytest.approx(4.0 if gpu.name == "RTX_4090" else 2.0, rel=0.02)
    assert peak_tflops(gpu, "int4") == gpu.fp16
    assert 10 < gpu.gb_per_s / gpu.memory_gb < 50
    assert gpu.usd_per_hour > 0 and 0 < gpu.utilisation < 1 and 0 < gpu.doubling <= 1


def test_names_are_unique():
    assert len({gpu.name for gpu in TIERS}) == len(TIERS) == 9
    assert len({model.name for model in MODELS}) == len(MODELS) == 6


def test_cache_of_a_token():
    assert hardware.LLAMA_1B.kv_bytes == 32_768
    assert hardware.LLAMA_70B.kv_bytes == 327_680


def test_weights_in_fp16_and_memory_left():
    weights = {model.name: model.parameters * BYTES_PER_PARAMETER["fp16"] / 1e9 for model in MODELS}
    assert weights["Llama-3.1-8B"] == pytest.approx(16, rel=0.01)
    assert weights["Llama-3.2-31B"] == 62
    left = spare_memory_gb(hardware.A6000, hardware.LLAMA_8B, "fp16", 2)
    assert left == pytest.approx(0.92 * 96 - 16.06)
