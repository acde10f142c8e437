"""The LSTM against a NumPy implementation and against the paper's parameter count."""

import jax
import numpy as np
from scipy.special import erf, expit

from lpo.forecast import lstm, point_head
from lpo.workload.windows import Scaler


def test_parameter_count_is_that_of_the_paper_with_one_bias_a_layer():
    forecaster = lstm(Scaler(3e5, 1e5), 7, point_head())
    shapes = jax.eval_shape(forecaster.init, jax.random.key(0))
    assert sum(np.prod(leaf.shape) for leaf in jax.tree.leaves(shapes)) == 118_465


def numpy_lstm(cell, steps):
    """Hidden states [time, hidden] of Hochreiter and Schmidhuber's cell with a forget gate."""
    hidden = state = np.zeros(cell["hi"]["bias"].shape)
    states = []
    for x in steps:
        drive = {
            gate: x @ cell[f"i{gate}"]["kernel"]
            + hidden @ cell[f"h{gate}"]["kernel"]
            + cell[f"h{gate}"]["bias"]
            for gate in "ifgo"
        }
        state = expit(drive["f"]) * state + expit(drive["i"]) * np.tanh(drive["g"])
        hidden = expit(drive["o"]) * np.tanh(state)
        states.append(hidden)
    return np.array(states)


def numpy_layer_norm(params, x):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * params["scale"] + params["bias"]


def numpy_dense(params, x):
    return x @ params["kernel"] + params["bias"]


def test_network_is_the_paper_s_layer_by_layer():
    scaler = Scaler(3e5, 1e5)
    forecaster = lstm(scaler, 7, point_head(), hidden=(6, 5), dense=4)
    rng = np.random.default_rng(0)
    params = jax.tree.map(
        lambda leaf: 0.5 * rng.standard_normal(leaf.shape).astype(np.float32),
        jax.eval_shape(forecaster.init, jax.random.key(0)),
    )
    history = rng.lognormal(12.5, 0.4, 7).astype(np.float32)

    y = (history[:, None] - scaler.mean) / scaler.sd
    for layer in range(2):
        y = numpy_lstm(params[f"OptimizedLSTMCell_{layer}"], y)
        y = numpy_layer_norm(params[f"LayerNorm_{layer}"], y)
    y = numpy_dense(params["Dense_0"], y[-1])
    y = numpy_dense(params["Dense_1"], y * (1 + erf(y / np.sqrt(2))) / 2)
    expected = scaler.mean * np.log1p((np.e - 1) * np.exp(y))  # softplus(y + ln(e - 1))
    np.testing.assert_allclose(forecaster.apply(params, history), expected, rtol=1e-5)
