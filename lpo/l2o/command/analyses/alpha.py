"""What the objective in the loss is worth: `+experiment=l2o_alpha`. docs/l2o.md, "Ablations"."""

from lpo.l2o.command.analyses.refusing import OF_OTHER_METHODS, refuse
from lpo.l2o.command.analyses.variant_findings import findings
from lpo.l2o.command.analyses.variants import Variant, changed, measure, train
from lpo.l2o.command.building import denoiser_of, family_of
from lpo.l2o.command.config import L2oConfig
from lpo.l2o.command.world import make_world
from lpo.runs import Findings, RunFolder
from lpo.runs.numbers_given import NOT_NEGATIVE, numbers_or

ALPHA = (0.0, 0.01, 0.1, 1.0)


def find(cfg: L2oConfig, folder: RunFolder) -> Findings:
    """Train a network with each weight of the objective, `analysis.values.alpha`.

    Raises InputError on values that mean nothing and settings without effect, TrainingFailed where
    a number is not finite.
    """
    own = {"work": "other experiments", "training.alpha": "analysis.values"}
    refuse(cfg, OF_OTHER_METHODS | own)
    weights = numbers_or(cfg, {"alpha": NOT_NEGATIVE}, alpha=ALPHA)["alpha"]
    family = family_of(cfg)
    world, denoiser = make_world(cfg, family), denoiser_of(cfg, family)
    variants = [
        Variant(f"alpha={weight:g}", changed(cfg, "training", alpha=weight), denoiser)
        for weight in dict.fromkeys(weights)
    ]
    found = measure(folder, family, world, train(family, world, variants))
    return findings(cfg, world, found, f"The weight of the objective in the loss, {family.name}")
