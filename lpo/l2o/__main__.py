"""`python -m lpo.l2o`: solutions of families of problems, sampled and polished."""

from lpo.interrupts import loading

if __name__ == "__main__":
    with loading("l2o"):
        from lpo.l2o.command.checks import validate
        from lpo.l2o.command.config import L2oConfig
        from lpo.l2o.command.job import job
        from lpo.runs import run_command

    run_command("l2o", L2oConfig, validate, job)
