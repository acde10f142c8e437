"""The best steady state of a cluster by linear programs, and what follows. docs/serve.md."""
