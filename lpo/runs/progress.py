"""A progress bar on stderr for anything over a few seconds; silent when that is no terminal."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from tqdm import tqdm


class Advance(Protocol):
    """Move the bar by `n` units; `note` is shown after it (for example the current loss)."""

    def __call__(self, n: int, note: Mapping[str, float] | None = None) -> None: ...


@contextmanager
def progress(total: int, label: str, unit: str = "step", done: int = 0) -> Iterator[Advance]:
    """A bar over `total` units, `done` of them before it starts (a resumed run)."""
    # disable=None: tqdm asks whether stderr is a terminal
    with tqdm(total=total, desc=label, unit=unit, initial=done, disable=None) as bar:

        def advance(n: int, note: Mapping[str, float] | None = None) -> None:
            if note:
                bar.set_postfix(
                    {name: f"{value:.4g}" for name, value in note.items()}, refresh=False
                )
            bar.update(n)

        yield advance
