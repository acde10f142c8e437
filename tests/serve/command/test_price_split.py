"""The split of prices as an experiment: an end point, the same for every total."""

import pytest

from lpo.errors import InputError
from lpo.serve.command.analyses.price_split import find

FEW = "analysis.values.share=[0,.02,.1,.5,1]"


@pytest.mark.parametrize(("instance", "best"), [("paper_two_class_x2", 1.0), ("dolly", 0.0)])
def test_an_end_is_best_for_every_total(serve_asked, instance, best):
    found = find(*serve_asked("+experiment=serve_price_split", f"instance={instance}", FEW))
    metrics = found.metrics
    assert metrics["best_share"] == best and "an end point" in found.result
    inside, turn = metrics["best_inside_over_best_end"], metrics["least_change_of_slope"]
    assert inside is not None and inside < 1.0
    assert turn is not None and turn >= -1e-7
    assert metrics["largest_departure_from_homogeneity"] == pytest.approx(0.0, abs=1e-10)
    prompts, outputs = (
        metrics[name] for name in ("prompt_tokens_per_gpu_s_at_1", "decode_tokens_per_gpu_s_at_0")
    )
    assert prompts is not None and outputs is not None
    assert (prompts > outputs) == (best == 1.0)
    assert "stays open" in found.notes[0]


def test_prices_of_levels_are_named(serve_asked):
    penalised = "levels.abandonment={limit:0.1,price:2.0}"
    found = find(*serve_asked("+experiment=serve_price_split", FEW, penalised))
    assert "abandonment" in found.notes[1] and "not homogeneous" in found.notes[1]
    departure = found.metrics["largest_departure_from_homogeneity"]
    assert departure is not None and departure > 1e-6


@pytest.mark.parametrize(
    "values",
    [{"total": [0.3]}, {"total": [0.0], "share": [0, 0.5, 1]}, {"total": [1.0], "share": [0, 1]}],
)
def test_refused(serve_asked, values):
    cfg, problem = serve_asked("analysis.name=price_split")
    cfg.analysis.values = values
    with pytest.raises(InputError, match=r"analysis\.values"):
        find(cfg, problem)
