"""`python -m lpo.allocate`: models on GPUs and routes for every query type, at least cost."""

from lpo.interrupts import loading

if __name__ == "__main__":
    with loading("allocate"):
        from lpo.allocate.command.checks import validate
        from lpo.allocate.command.config import AllocateConfig
        from lpo.allocate.command.job import job
        from lpo.runs import run_command

    run_command("allocate", AllocateConfig, validate, job)
