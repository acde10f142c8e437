"""`python -m lpo.scale`: how many passes of which model answer a query."""

from lpo.interrupts import loading

if __name__ == "__main__":
    with loading("scale"):
        from lpo.runs import run_command
        from lpo.scale.command.checks import validate
        from lpo.scale.command.config import ScaleConfig
        from lpo.scale.command.job import job

    run_command("scale", ScaleConfig, validate, job)
