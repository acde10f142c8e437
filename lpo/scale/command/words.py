"""Numbers of passes and slots in words."""


def passes(k: int) -> str:
    """Such as "1 pass", "3 passes"."""
    return f"{k} {'pass' if k == 1 else 'passes'}"


def slots(parallel: int) -> str:
    """Such as "1 slot", "4 slots"."""
    return f"{parallel} {'slot' if parallel == 1 else 'slots'}"
