"""`python -m lpo.serve`: plans and policies of a cluster, simulated."""

from lpo.interrupts import loading

if __name__ == "__main__":
    with loading("serve"):
        from lpo.runs import run_command
        from lpo.serve.command.checks import validate
        from lpo.serve.command.config import ServeConfig
        from lpo.serve.command.job import job

    run_command("serve", ServeConfig, validate, job)
