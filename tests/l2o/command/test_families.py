"""Each family through `python -m lpo.l2o`: what work is counted in, and what is said of it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from lpo.l2o.classical.method import path
from lpo.l2o.classical.pdhg import pdhg
from lpo.l2o.command.competing import Entry
from lpo.l2o.command.reporting import with_least
from lpo.l2o.command.world import World
from lpo.l2o.contest import Trace
from lpo.l2o.families.open_rastrigin import open_rastrigin
from lpo.l2o.families.provisioning import provisioning
from lpo.l2o.family import sample_problems
from lpo.l2o.linear import family_of, kkt_error
from tests.quick import jit

SMALL = [
    "training.problems=20",
    "training.steps=5",
    "training.batch=4",
    "denoiser.width=8",
    "denoiser.layers=1",
    "samples.levels=[2]",
    "samples.count=2",
    "polish.steps=6",
    "tests=4",
    "validation=2",
    "work=[8,16]",
]


def tables(l2o: Any, *given: str) -> tuple[Any, Any, Any]:
    code, folder, out, err = l2o(*SMALL, *given)
    assert code == 0, err
    methods, summary = (
        pd.read_csv(folder / "tables" / f"{name}.csv") for name in ("methods", "summary")
    )
    return methods, summary.set_index("method"), (folder, out)


def test_linear_programs_are_measured_by_their_kkt_error(l2o):
    _, summary, (_, out) = tables(
        l2o, "family=provisioning", "baselines=[adam,pdhg]", "learned=[nearest]"
    )
    assert "KKT error" in out and "products with the matrix" in out
    # the prior is the cold start, so zero and several draws of it would say the same again
    alone = {"diffusion_2", "diffusion_2_best2", "nearest"}
    assert set(summary.index) == {"adam_prior", "pdhg_prior"} | alone | {
        f"{name}_pdhg" for name in alone
    }
    # two levels and a first point, two samples, six iterations
    assert summary.loc["diffusion_2_best2_pdhg", "evaluations"] == 2 * 3 + 6
    assert summary.loc["diffusion_2_best2_pdhg", "depth"] == 3 + 6
    assert summary.loc["nearest_pdhg", "evaluations"] == 6
    linear = provisioning()
    family = family_of(linear)
    # test problems of seed 0
    problems = sample_problems(family, jax.random.fold_in(jax.random.key(0), 1), 4)

    def error(problem: Any) -> jax.Array:
        found = path(family, pdhg(linear), problem, family.prior(jax.random.key(0)), 16)
        return kkt_error(linear, found.x, problem)

    expected = jit(jax.vmap(error))(problems).mean()
    np.testing.assert_allclose(summary.loc["pdhg_prior", "value_mean"], expected, rtol=1e-4)


def test_relaxations_of_allocation_run_too(l2o):
    _, summary, _ = tables(
        l2o,
        "family=allocation",
        "family.size=[2,2,2]",
        "samples.count=1",
        "polish.steps=0",
        "baselines=[pdhg]",
        "learned=[]",
    )
    assert summary.loc["pdhg_prior", "evaluations"] == 16
    assert (summary["value_mean"] >= 0.0).all()


@pytest.fixture
def mnist(tmp_path):
    """Pictures of four pixels: zeros are dark, ones are bright."""
    rng = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 40), ("test", 30)):
        y = np.arange(count) % 2
        arrays[f"y_{part}"] = y
        arrays[f"x_{part}"] = (rng.integers(0, 60, (count, 2, 2)) + 190 * y[:, None, None]).astype(
            np.uint8
        )
    np.savez(tmp_path / "mnist.npz", **arrays)
    return tmp_path / "mnist.npz"


def test_digits_from_a_file_say_how_many_held_out_pictures_are_told(l2o, mnist):
    _, summary, (_, out) = tables(
        l2o,
        "family=digits",
        f"family.path={mnist}",
        "family.rows=16",
        "family.hidden=3",
        "work=[64]",
        "polish.steps=0",
        "baselines=[adam]",
        "learned=[]",
    )

    assert "accuracy" in out
    # at zero all hidden units are the same, and stay so
    assert "adam_zero" not in summary.index and "adam_prior_best2" in summary.index
    assert (summary.loc[summary["success"] == 1.0, "accuracy"] == 1.0).all()
    assert summary["accuracy"].between(0, 1).all()
    # an objective speaks for itself: its infimum is 0
    assert summary.loc["adam_prior", "success"] == summary.loc["adam_prior", "reached"]


def test_the_least_that_anybody_found_stands_for_an_unknown_minimum(l2o):
    methods, _, (folder, _) = tables(
        l2o,
        "family=open_rastrigin",
        "samples.count=1",
        "polish.steps=0",
        "baselines=[]",
        "learned=[nearest]",
    )
    assert (methods["gap_mean"] >= 0.0).all()
    assert "success" not in pd.read_csv(folder / "tables" / "summary.csv").dropna(axis=1).columns
    label = jnp.array([3.0, -1.0, 2.0])
    world = World._make([None] * len(World._fields))._replace(least=label)
    entries = [
        Entry(name, "sample", [Trace(jnp.asarray(value)[:, None], *[label] * 3)], 0.0)
        for name, value in (("one", [4.0, -2.0, jnp.nan]), ("other", [3.5, 0.0, 5.0]))
    ]
    found = with_least(open_rastrigin(2), world, entries)
    np.testing.assert_array_equal(found.least, [3.0, -2.0, 2.0])


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("family=digits family.dimension=3", "family.dimension: given with family.name=digits"),
        ("family=provisioning family.rows=3", "family.rows: given with family.name=provisioning"),
        ("family=digits family.path=no.npz", "family.path: no.npz given; allowed: a file"),
        ("family=digits family.rows=2000", "family.rows: 2000 given; allowed: from 1 to the 1438"),
        ("family=allocation family.size=[2,2]", "family.size: [2, 2] given; allowed: three"),
        ("family=provisioning family.price_spread=0", "family.price_spread: 0.0 given; allowed"),
        ("baselines=[pdhg]", "baselines: ['pdhg'] given; allowed: a list, each once, of gd"),
        ("polish.name=pdhg", "polish.name: pdhg given; allowed: gd, momentum, adam, ista, fista"),
        ("family=provisioning polish.rate=1", "polish.rate: given with polish.name=pdhg"),
        ("family=digits learned=[lista]", "learned: ['lista'] given; allowed: a list"),
    ],
)
def test_bad_input_is_one_line(l2o, given, line):
    code, _, out, err = l2o(*given.split())
    assert (code, out) == (2, "") and err.count("\n") == 1 and line in err, err


def test_a_damaged_file_is_one_line(l2o, tmp_path):
    file = tmp_path / "mnist.npz"
    file.write_bytes(b"PK\x03\x04 nothing")
    code, _, _, err = l2o("family=digits", f"family.path={file}")
    assert code == 2 and err.count("\n") == 1 and "is damaged, or no .npz" in err, err
