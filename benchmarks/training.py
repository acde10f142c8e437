"""Training: steps a second, time to the first step, seeds in one program, memory of the main job.

    python benchmarks/training.py [--main-job]

Decision-focused training of the default predictor in compiled segments, against one jitted call a
step and against seeds one after the other; an outer epoch of 3D-Learning. `--main-job` also runs
`python -m lpo.train +experiment=dro_diffusion` on the built-in workload in a process of its own.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from functools import partial
from time import perf_counter

import jax
import jax.numpy as jnp
from measuring import measure, report, timed

from lpo import diffusion, forecast, provision, robust, workload
from lpo.optim import run, seed_keys

STEPS, BATCH = 1000, 256
PROBLEM = workload.build(workload.synthetic(days=7, seed=0), workload.lead_time(), seed=0)
WINDOWS = robust.Windows(jnp.asarray(PROBLEM.train), jnp.asarray(PROBLEM.validation))
TASK = provision.newsvendor()
PREDICTOR = forecast.mlp(
    PROBLEM.scaler, PROBLEM.layout.context, forecast.point_head(), normalise="window"
)
LOSS = robust.decision_loss(
    PREDICTOR, TASK, PROBLEM.layout, robust.loss_scale(TASK, PROBLEM.scaler)
)


def warm_segment(training) -> tuple[float, float]:
    """Seconds of compilation and of a warm segment of STEPS steps."""
    keys = seed_keys(0, 1)
    state = jax.vmap(training.init)(keys)
    segments = list(run(training, keys, state, WINDOWS, steps=3 * STEPS, segment_steps=STEPS))
    return segments[0].compile_s, min(segment.run_s for segment in segments[1:])


def bench_predictor() -> None:
    training = robust.empirical_risk(PREDICTOR, LOSS, steps=STEPS, batch=BATCH)
    compile_s, warm_s = warm_segment(training)
    one_step = jax.jit(training.update)
    keys = jax.random.split(jax.random.PRNGKey(0), STEPS)
    start = training.init(keys[0])
    first_s = timed(one_step, keys[0], start, WINDOWS)

    def step_by_step():
        state = start
        for key in keys:
            state, _ = one_step(key, state, WINDOWS)
        return state

    peer_s = min(timed(step_by_step) for _ in range(2))
    setting = f"MLP 3 x 64, batch {BATCH}, {STEPS} steps, {jax.default_backend()}"
    peer = "the same update, one jitted call a step"
    report("predictor/rate", "steps/s", (STEPS / warm_s, STEPS / peer_s), peer, setting)
    report("predictor/time_to_first_step", "s", (compile_s, first_s), peer, setting)


def bench_robust() -> None:
    sde = diffusion.VPSDE()
    dim = PROBLEM.layout.window
    model, grid = diffusion.score_network(dim, sde=sde), diffusion.make_grid(sde)
    adversary = robust.make_adversary(
        model,
        sde,
        grid,
        workload.linear_space(PROBLEM.scaler).to_tokens,
        dim,
        LOSS,
        robust.AdversarySettings(),
    )
    inner = robust.mixed(robust.adversarial_imagination(adversary), LOSS)
    training = robust.outer_epochs(inner, LOSS, epochs=15)
    key = jax.random.PRNGKey(0)
    nominal = robust.Nominal(
        model.init(key),
        jax.tree.map(jnp.float32, diffusion.make_coefficients(sde, grid.times)),
        jnp.asarray(workload.standardise(PROBLEM.train, PROBLEM.scaler)),
    )
    data = robust.RobustData(WINDOWS, nominal)
    state = training.init(key, PREDICTOR.init(key), data)
    compile_s, warm_s = measure(partial(training.update, key), state, data)
    setting = "10 ascent steps on 512 paths, 1024 windows, 100 descent steps, 40 bins"
    report("robust_epoch/rate", "epochs/s", (1 / warm_s, None), None, setting)
    report("robust_epoch/time_to_first_step", "s", (compile_s, None), None, setting)


def bench_main_job() -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "lpo.train", "+experiment=dro_diffusion"]
        start = perf_counter()
        subprocess.run([*command, f"hydra.run.dir={folder}"], check=True, capture_output=True)
        seconds = perf_counter() - start
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit / 1e6
    setting = "python -m lpo.train +experiment=dro_diffusion, built-in workload, one seed"
    report("main_job/time", "s", (seconds, None), None, setting)
    report("main_job/peak_memory", "MB", (peak, None), None, setting)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--main-job", action="store_true", help="also time the whole main job")
    options = parser.parse_args()
    bench_predictor()
    bench_robust()
    if options.main_job:
        bench_main_job()


if __name__ == "__main__":
    main()
