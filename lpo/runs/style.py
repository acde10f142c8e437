"""Colours that colour-blind readers can tell apart, shared by static and interactive figures."""

# Okabe and Ito, Color Universal Design, 2008; the yellow is left out (too light on white)
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
BASELINE = "#8A8A8A"
MISSING = "#B8B8B8"  # where there is no value
SEQUENTIAL = "viridis"
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*", "<", ">", "p", "h")

DASHES = ("solid", "dash", "dot", "dashdot")  # of lines whose colours repeat, as plotly calls them


def dash(position: int) -> str:
    """How the line at a position is dashed: each colour solid first."""
    return DASHES[position // len(PALETTE) % len(DASHES)]


def colours(names: list[str]) -> dict[str, str]:
    """A colour for each name, by position; repeats after seven."""
    return {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(names)}
