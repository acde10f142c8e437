"""`python -m lpo.serve`, apart from its entry."""
