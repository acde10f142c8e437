"""How long a log is worth something: regret saved by horizon, for logs of several lengths."""

import pandas as pd

from lpo.bandit.command.config import BanditConfig
from lpo.bandit.command.contest import contest_of
from lpo.bandit.command.pictures import horizon_picture
from lpo.bandit.command.tables import mean_table, regret_table, rounds_of
from lpo.bandit.contenders import ELLIPSOIDAL, ONLINE
from lpo.errors import InputError
from lpo.runs import Findings, ResultTable
from lpo.runs.numbers_given import WHOLE, numbers_or


def find(cfg: BanditConfig) -> Findings:
    """Play on logs of several lengths and compare with starting from nothing."""
    for name in (ONLINE, ELLIPSOIDAL):
        if name not in cfg.policies:
            raise InputError(f"policies: {cfg.policies} given; allowed: with {name} (horizons)")
    lengths = numbers_or(cfg, {"rows": WHOLE}, rows=(300.0, 2000.0))["rows"]
    regrets, saved = [], []
    for rows in map(int, lengths):
        contest = contest_of(cfg, rows=rows)
        regret = regret_table(contest, rounds_of(cfg.horizon, cfg.rounds))
        regrets.append(regret.assign(rows=rows))
        wide = mean_table(regret).pivot(index="round", columns="policy", values="regret")
        saved.append(
            pd.DataFrame(
                {
                    "rows": rows,
                    "round": wide.index,
                    ONLINE: wide[ONLINE].to_numpy(),
                    ELLIPSOIDAL: wide[ELLIPSOIDAL].to_numpy(),
                    "saved": (wide[ONLINE] - wide[ELLIPSOIDAL]).to_numpy(),
                    "ratio": (wide[ONLINE] / wide[ELLIPSOIDAL]).to_numpy(),
                }
            )
        )
    table = pd.concat(saved, ignore_index=True)
    asked = table.loc[table["round"].isin([*cfg.rounds, cfg.horizon])]
    last = table.loc[table["round"] == cfg.horizon]
    return Findings(
        result=", ".join(
            f"a log of {row['rows']} rows saves {row['saved']:.0f} of {row[ONLINE]:.0f} by round "
            f"{cfg.horizon}"
            for row in last.to_dict("records")
        ),
        metrics={
            f"saved/{row['rows']}_rows": float(row["saved"]) for row in last.to_dict("records")
        },
        tables={
            "horizons": ResultTable(
                "What a log is worth, by horizon",
                f"Means over {cfg.seeds} seeds. saved: regret of {ONLINE} less that of "
                f"{ELLIPSOIDAL}; ratio: the one over the other.",
                asked,
            )
        },
        pictures={"horizons": horizon_picture(table)},
        shown=[("what a log is worth, by horizon", asked)],
        notes=[],
        frames={"horizons": table, "regret": pd.concat(regrets, ignore_index=True)},
    )
