"""Shared numerical machinery: training, differentiable convex layers, exact integer programs.

Names are loaded when they are asked for: programs of matrices need neither JAX nor cvxpy, which
take seconds to load.
"""

from typing import TYPE_CHECKING

from lpo.lazy import lazily

if TYPE_CHECKING:
    from lpo.optim.backend import Backend as Backend
    from lpo.optim.backend import LayerSolution as LayerSolution
    from lpo.optim.backend import Status as Status
    from lpo.optim.layer import ConvexLayer as ConvexLayer
    from lpo.optim.milp import MilpResult as MilpResult
    from lpo.optim.milp import solve_milp as solve_milp
    from lpo.optim.outcome import MilpStatus as MilpStatus
    from lpo.optim.sharding import Shard as Shard
    from lpo.optim.sharding import batch_sharding as batch_sharding
    from lpo.optim.sharding import check_devices as check_devices
    from lpo.optim.sharding import data_mesh as data_mesh
    from lpo.optim.sharding import replicate as replicate
    from lpo.optim.sharding import unsharded as unsharded
    from lpo.optim.training import Diverged as Diverged
    from lpo.optim.training import Segment as Segment
    from lpo.optim.training import Training as Training
    from lpo.optim.training import adam as adam
    from lpo.optim.training import fit as fit
    from lpo.optim.training import over_seeds as over_seeds
    from lpo.optim.training import run as run
    from lpo.optim.training import seed_keys as seed_keys

__getattr__ = lazily(
    __name__,
    {
        "Backend": "backend",
        "LayerSolution": "backend",
        "Status": "backend",
        "ConvexLayer": "layer",
        "MilpResult": "milp",
        "solve_milp": "milp",
        "MilpStatus": "outcome",
        "Shard": "sharding",
        "batch_sharding": "sharding",
        "check_devices": "sharding",
        "data_mesh": "sharding",
        "replicate": "sharding",
        "unsharded": "sharding",
        "Diverged": "training",
        "Segment": "training",
        "Training": "training",
        "adam": "training",
        "fit": "training",
        "over_seeds": "training",
        "run": "training",
        "seed_keys": "training",
    },
)
