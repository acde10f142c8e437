"""The network on digits, and the files that its pictures come from."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.l2o.families.digits import Images, accuracy, digits, logits, weights_of
from lpo.l2o.family import gradient, sample_problems
from lpo.l2o.readers import Pictures, read_digits, read_mnist
from tests.quick import jit


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    return read_digits()


def test_weights_of_the_papers_networks(pictures: Pictures):
    assert digits(pictures.train).dimension == 64 * 20 + 20 + 20 * 10 + 10
    assert weights_of(784, 20) == 784 * 20 + 20 + 20 * 10 + 10


def test_network_and_cross_entropy_by_hand():
    rng = np.random.default_rng(0)
    images = Images(
        rng.uniform(size=(7, 3)).astype(np.float32), np.array([1, 0, 9, 3, 3, 2, 5], np.int32)
    )
    family = digits(images, hidden=2, rows=4, penalty=0.1)
    x = rng.normal(size=family.dimension).astype(np.float32)
    W1, b1, W2, b2 = x[:6].reshape(3, 2), x[6:8], x[8:28].reshape(2, 10), x[28:]
    expected = 1 / (1 + np.exp(-(images.pixels @ W1 + b1))) @ W2 + b2
    np.testing.assert_allclose(
        logits(jnp.asarray(x), jnp.asarray(images.pixels), 2), expected, 1e-4
    )
    problem = family.sample(jax.random.key(0))
    rows = np.asarray(problem.rows)
    assert len(set(rows.tolist())) == 4
    share = np.exp(expected) / np.exp(expected).sum(1, keepdims=True)
    value = -np.log(share[rows, images.digits[rows]]).mean() + 0.05 * x @ x
    np.testing.assert_allclose(family.objective(jnp.asarray(x), problem), value, rtol=1e-4)
    right = (expected.argmax(1) == images.digits).mean()
    np.testing.assert_allclose(accuracy(jnp.asarray(x), images, 2), right)


def test_labels_fit_their_subset_and_more(pictures: Pictures):
    family = digits(pictures.train, rows=150, penalty=1e-4, iterations=120)
    problems = sample_problems(family, jax.random.key(0), 2)
    labels = family.solve(problems)
    start = jax.vmap(family.prior)(jax.random.split(jax.random.key(1), 2))
    value = jit(jax.vmap(family.objective))
    first = value(start, problems)
    assert (labels.value < 0.1 * first).all()
    np.testing.assert_allclose(value(labels.x, problems), labels.value, 1e-4)
    assert all(float(accuracy(x, pictures.test)) > 0.8 for x in labels.x)
    slopes = jit(jax.vmap(lambda x, problem: gradient(family, x, problem)))
    slope, before = (slopes(x, problems) for x in (labels.x, start))
    assert jnp.linalg.norm(slope) < 0.1 * jnp.linalg.norm(before)


def test_what_is_told_of_a_problem(pictures: Pictures):
    family = digits(pictures.train, rows=50)
    problem = family.sample(jax.random.key(3))
    told, rows = np.asarray(family.features(problem)), np.asarray(problem.rows)
    np.testing.assert_allclose(told[:64], pictures.train.pixels[rows].mean(0), atol=1e-6)
    counts = np.bincount(pictures.train.digits[rows], minlength=10)
    np.testing.assert_allclose(told[64:], counts / 50.0, atol=1e-6)


def test_starts_are_normal_weights_and_no_biases(pictures: Pictures):
    family = digits(pictures.train)
    x = np.asarray(jax.vmap(family.prior)(jax.random.split(jax.random.key(0), 50)))
    assert x[:, :1280].std() == pytest.approx(1.0 / 8.0, rel=0.02)
    assert x[:, 1300:1500].std() == pytest.approx(20**-0.5, rel=0.03)
    assert not x[:, 1280:1300].any() and not x[:, 1500:].any()


def test_pictures_of_scikit_learn(pictures: Pictures):
    assert pictures.train.pixels.shape == (1438, 64) and pictures.test.pixels.shape == (359, 64)
    for images in pictures:
        assert images.pixels.min() == 0.0 and images.pixels.max() == 1.0
        assert set(images.digits.tolist()) == set(range(10))


def mnist(**changed: np.ndarray) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    arrays = {
        "x_train": rng.integers(0, 256, (30, 28, 28), dtype=np.uint8),
        "y_train": np.arange(30, dtype=np.uint8) % 10,
        "x_test": rng.integers(0, 256, (5, 28, 28), dtype=np.uint8),
        "y_test": np.arange(5, dtype=np.uint8),
    }
    return {name: value for name, value in {**arrays, **changed}.items() if value.size}


def test_mnist_is_read(tmp_path: Path):
    path, arrays = tmp_path / "mnist.npz", mnist()
    np.savez(path, allow_pickle=False, **arrays)
    found = read_mnist(path)
    assert found.train.pixels.shape == (30, 784) and found.test.digits.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(found.train.pixels[3, 29], arrays["x_train"][3, 1, 1] / 255.0)
    family = digits(found.train, rows=10, name="mnist")
    assert family.name == "mnist" and family.dimension == 15910
    x = family.prior(jax.random.key(0))
    assert np.isfinite(family.objective(x, family.sample(jax.random.key(1))))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"x_train": np.zeros((30, 28, 28))}, "`x_train` must be uint8"),
        ({"x_test": np.zeros(5, np.uint8)}, "`x_test` must be uint8"),
        ({"y_train": np.zeros(29, np.uint8)}, r"`y_train` must be whole numbers \[30\]"),
        ({"y_test": np.array([0, 1, 2, 11, 4])}, r"`y_test`\[3\] must be a digit from 0 to 9"),
        ({"y_test": np.zeros(5)}, "`y_test` must be whole numbers"),
        ({"x_test": np.ones((5, 9), np.uint8)}, "pictures of one size, got 784 and 9"),
        ({"y_test": np.zeros(0)}, "has no array `y_test`"),
    ],
)
def test_bad_mnist_is_refused(tmp_path: Path, changed: dict[str, np.ndarray], said: str):
    path = tmp_path / "mnist.npz"
    np.savez(path, allow_pickle=False, **mnist(**changed))
    with pytest.raises(InputError, match=said) as caught:
        read_mnist(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_other_files_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match="no such file"):
        read_mnist(tmp_path / "none.npz")
    single, text, half, objects = (tmp_path / name for name in ("a.npy", "b.npz", "c.npz", "d.npz"))
    np.save(single, np.zeros(3))
    with pytest.raises(InputError, match="single array"):
        read_mnist(single)
    text.write_text("no archive")
    with pytest.raises(InputError, match="damaged"):
        read_mnist(text)
    np.savez(half, allow_pickle=False, **mnist())
    half.write_bytes(half.read_bytes()[:5000])
    with pytest.raises(InputError, match="damaged"):
        read_mnist(half)
    np.savez(objects, **mnist(y_test=np.array([{}], dtype=object)))
    with pytest.raises(InputError, match="damaged"):
        read_mnist(objects)


def test_bad_sizes_are_refused(pictures: Pictures):
    bad: list[dict[str, Any]] = [
        {"hidden": 0},
        {"rows": 2000},
        {"penalty": -1.0},
        {"iterations": 0},
    ]
    for settings in bad:
        with pytest.raises(InputError, match=f"`{next(iter(settings))}`"):
            digits(pictures.train, **settings)
