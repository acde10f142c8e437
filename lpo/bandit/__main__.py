"""`python -m lpo.bandit`: what logs of an earlier deployment are worth to online decisions."""

from lpo.interrupts import loading

if __name__ == "__main__":
    with loading("bandit"):
        from lpo.bandit.command.checks import validate
        from lpo.bandit.command.config import BanditConfig
        from lpo.bandit.command.job import job
        from lpo.runs import run_command

    run_command("bandit", BanditConfig, validate, job)
