"""Classes by thresholds and by k-means; the published table of the Azure traces of 2023."""

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.serve import make_hardware
from lpo.serve.replay import (
    Trace,
    class_table,
    cluster_classes,
    instance_of,
    pooled,
    threshold_classes,
    trace_of,
)
from lpo.workload.azure import AZURE_FILES
from lpo.workload.requests import stream_requests

GIVEN = {
    "patience": 0.1,
    "hardware": make_hardware(batch=16, chunk=256, alpha=0.0174, beta=6.2e-5, tau_solo=0.022),
    "price_prompt": 0.1,
    "price_decode": 0.2,
}


def trace(prompt, decode, duration_s=10.0):
    time_s = np.linspace(0.0, duration_s, len(prompt))
    return Trace(time_s, np.asarray(prompt), np.asarray(decode), duration_s)


def three_groups(seed, requests=60):
    rng = np.random.default_rng(seed)
    centres = np.array([[100, 1000], [1000, 20], [8000, 200]])
    group = rng.permutation(np.arange(requests) % 3)
    lengths = centres[group] * np.exp(rng.normal(0.0, 0.1, (requests, 2)))
    return trace(*np.round(lengths).astype(int).T), group


def test_pooled_azure_traces_of_2023_have_the_published_classes(azure_root):
    files = [azure_root / AZURE_FILES[name].file for name in ("conv_2023", "code_2023")]
    both = pooled([trace_of(stream_requests(file)) for file in files])
    classes = threshold_classes()
    table = class_table(both, classes.kinds(both), classes.names)
    # classes: both short; long decode; long prompt; both long. The table's shares add up to 100 %.
    assert 100 * table.share == pytest.approx([42.3, 30.6, 26.0, 1.1], abs=0.08)
    assert table.prompt == pytest.approx([542, 931, 3407, 3214], abs=0.5)
    assert table.decode == pytest.approx([65, 368, 43, 246], abs=0.5)
    assert table.rate == pytest.approx([3.41, 2.46, 2.09, 0.09], abs=0.005)
    assert table.cv_prompt == pytest.approx([0.70, 0.38, 0.47, 0.38], abs=0.005)
    assert table.cv_decode == pytest.approx([0.66, 0.33, 0.86, 0.62], abs=0.005)


def test_an_edge_belongs_to_the_shorter_side():
    classes = threshold_classes((10, 20), (5,))
    kinds = classes.kinds(trace([10, 11, 20, 21, 21], [5, 5, 6, 6, 5]))
    assert kinds.tolist() == [0, 2, 3, 5, 4]
    assert classes.names[3] == "prompt 10 to 20, decode > 5"
    assert threshold_classes((), ()).names == ("prompt any, decode any",)


@pytest.mark.parametrize("edges", [(5, 5), (9, 5), (0,), (float("nan"),), (float("inf"),)])
def test_edges_ascend(edges):
    with pytest.raises(InputError, match="`decode_edges`"):
        threshold_classes(decode_edges=edges)


def test_k_means_finds_groups_in_the_order_of_their_prompts():
    requests, group = three_groups(0)
    classes = cluster_classes(requests, 3)
    assert classes.kinds(requests).tolist() == group.tolist()
    assert classes.centres == pytest.approx(
        np.array([[100, 1000], [1000, 20], [8000, 200]]), rel=0.1
    )
    assert len(set(classes.names)) == 3


def test_k_means_depends_on_the_seed_and_on_nothing_else():
    requests, _ = three_groups(1)
    one, same = (cluster_classes(requests, 5, seed=3).centres for _ in range(2))
    assert np.array_equal(one, same)
    order = np.random.default_rng(0).permutation(len(requests.prompt))
    shuffled = requests._replace(prompt=requests.prompt[order], decode=requests.decode[order])
    assert cluster_classes(shuffled, 5, seed=3).centres == pytest.approx(one)


def test_k_means_takes_no_more_classes_than_there_are_lengths():
    requests = trace([3, 3, 7, 7], [1, 1, 1, 1])
    assert cluster_classes(requests, 2).centres == pytest.approx(np.array([[3, 1], [7, 1]]))
    with pytest.raises(InputError, match="between 1 and 2"):
        cluster_classes(requests, 3)


def test_the_instance_of_a_trace_has_its_requests_and_tokens():
    requests, group = three_groups(2)
    table = class_table(requests, group, ["a", "b", "c"])
    assert table.share.sum() == pytest.approx(1.0)
    instance = instance_of(table, gpus=4, **GIVEN)
    tokens = 4 * requests.duration_s * instance.arrival @ instance.prompt
    assert tokens == pytest.approx(requests.prompt.sum())


def test_a_class_without_requests_makes_no_instance():
    requests = trace([3, 4], [5, 6])
    classes = threshold_classes()
    table = class_table(requests, classes.kinds(requests), classes.names)
    assert table.share.tolist() == [1, 0, 0, 0]
    assert np.isnan(table.prompt[1:]).all()
    with pytest.raises(InputError, match="class `prompt <= 1500, decode > 150`"):
        instance_of(table, gpus=1, **GIVEN)
    with pytest.raises(InputError, match="`n`"):
        instance_of(class_table(requests, np.zeros(2, int), ["all"]), gpus=0, **GIVEN)
