"""The command `python -m lpo.scale`."""
