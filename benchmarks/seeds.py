"""Seeds in one program against separate runs: the default predictor and the score network.

    python benchmarks/seeds.py [--seeds 5] [--repeats 8]

Warm segments of both sides take turns in one process, so that other load on the machine meets both;
the best of the repeats counts. A separate run is a segment of the one-seed program: its start-up
and compilation are left out, and reported apart. A ratio above 1 is a gain of one program.
"""

import argparse

import jax
import jax.numpy as jnp
from measuring import report

from lpo import diffusion, forecast, provision, robust, workload
from lpo.optim import adam, run, seed_keys

BATCH = 256


def bench(name, training, data, steps: int, seeds: int, repeats: int, setting: str) -> None:
    def segments(count: int, length: int):
        """A run of `count` seeds, a segment at a time; the first compiles and warms up."""
        keys = seed_keys(0, count)
        state = jax.jit(jax.vmap(training.init))(keys)
        running = run(training, keys, state, data, steps=steps * (length + 1), segment_steps=steps)
        return next(running).compile_s, running

    together_compile_s, together = segments(seeds, repeats)
    alone_compile_s, alone = segments(1, repeats * seeds)
    together_s, alone_s = [], []
    for _ in range(repeats):
        together_s.append(next(together).run_s)
        alone_s.append(sum(next(alone).run_s for _ in range(seeds)))
    rates = (seeds * steps / min(seconds) for seconds in (together_s, alone_s))
    peer = f"{seeds} separate runs, one after the other"
    setting = f"{seeds} seeds, {setting}, {steps} steps a seed, {jax.default_backend()}"
    report(f"{name}/rate", "seed-steps/s", (next(rates), next(rates)), peer, setting)
    report(f"{name}/compile", "s", (together_compile_s, seeds * alone_compile_s), peer, setting)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=8)
    options = parser.parse_args()

    problem = workload.build(workload.synthetic(days=7, seed=0), workload.lead_time(), seed=0)
    windows = robust.Windows(jnp.asarray(problem.train), jnp.asarray(problem.validation))
    task, layout, scaler = provision.newsvendor(), problem.layout, problem.scaler
    net = forecast.mlp(scaler, layout.context, forecast.point_head(), normalise="window")
    loss = robust.decision_loss(net, task, layout, robust.loss_scale(task, scaler))
    predictor = robust.empirical_risk(net, loss, steps=1000, batch=BATCH)
    setting = f"MLP 3 x 64, batch {BATCH}"
    bench("seeds_predictor", predictor, windows, 500, options.seeds, options.repeats, setting)

    sde = diffusion.VPSDE()
    model = diffusion.score_network(layout.window, sde=sde)
    score = diffusion.make_score_training(model, sde, adam(1e-3, 1000), BATCH)
    standardised = jnp.asarray(workload.standardise(problem.train, scaler))
    setting = f"score network of 0.3 M parameters, batch {BATCH}"
    bench("seeds_score", score, standardised, 100, options.seeds, options.repeats, setting)


if __name__ == "__main__":
    main()
