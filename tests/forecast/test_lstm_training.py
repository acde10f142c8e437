"""Training the paper's LSTM ends: a schedule of XLA's that lpo turns off can wait for itself."""

import os
import subprocess
import sys

FIVE_SEEDS = """
import jax
from lpo import forecast, optim, provision, robust, workload

layout, task = workload.Layout(40, 30, 10), provision.newsvendor(1.0, 10.0)
net = forecast.lstm(workload.Scaler(2.0, 1.0), 30, forecast.point_head())
rows = 1.0 + jax.random.uniform(jax.random.PRNGKey(0), (128, 40))
loss = robust.decision_loss(net, task, layout, 1.0)
training = robust.empirical_risk(net, loss, steps=6, batch=64)
state = optim.fit(training, optim.seed_keys(0, 5), robust.Windows(rows, rows), steps=6)
print(int(state.best_loss.shape[0]))
"""


def test_training_five_lstms_ends():
    """In a process of its own, so that waiting for ever would fail here and not stop all tests."""
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    command = [sys.executable, "-c", FIVE_SEEDS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["5"]
