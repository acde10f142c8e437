import jax
import jax.numpy as jnp
import numpy as np

from lpo.diffusion import VPSDE, score_network
from lpo.diffusion.network import sinusoidal_embedding


def test_default_size_is_about_three_hundred_thousand_parameters():
    model = score_network(40)
    shapes = jax.eval_shape(model.init, jax.random.PRNGKey(0))
    count = sum(leaf.size for leaf in jax.tree.leaves(shapes))
    assert 2.5e5 < count < 3.5e5


def test_untrained_network_is_the_exact_score_of_standardised_gaussian_data():
    sde = VPSDE()
    model = score_network(5, width=16, blocks=1, embed=8, sde=sde)
    params = jax.jit(model.init)(jax.random.PRNGKey(0))
    x = jax.random.normal(jax.random.PRNGKey(1), (7, 5))
    t = jnp.linspace(sde.t0, 1.0, 7)
    expected = jnp.sqrt(sde.variance(t))[:, None] * x  # -sqrt(s2) times the score -x of N(0, I)
    np.testing.assert_allclose(jax.jit(model.apply)(params, x, t), expected, rtol=1e-5)


def test_trained_weights_see_the_input_and_the_noise_level():
    model = score_network(3, width=16, blocks=2, embed=8)
    params = jax.tree.map(lambda p: p + 0.1, jax.jit(model.init)(jax.random.PRNGKey(0)))
    x = jnp.ones((4, 3)) * jnp.array([1.0, 1.0, 2.0, 2.0])[:, None]
    eps = np.asarray(jax.jit(model.apply)(params, x, jnp.array([0.2, 0.8, 0.2, 0.8])))
    assert eps.shape == (4, 3)
    assert len(np.unique(eps[:, 0])) == 4


def test_embedding_separates_noise_levels_of_the_whole_range():
    levels = jnp.linspace(-10.1, 9.2, 200)
    embedding = np.asarray(sinusoidal_embedding(levels, 128))
    assert embedding.shape == (200, 128)
    gaps = np.linalg.norm(embedding[:, None] - embedding[None], axis=-1)
    np.fill_diagonal(gaps, np.inf)
    assert gaps.min() > 0.5
