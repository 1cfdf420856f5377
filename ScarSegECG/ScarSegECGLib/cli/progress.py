"""Progress on stderr while something takes long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def progress_bar(title: str, quiet: bool) -> Iterator[Callable[[float, str], None]]:
    """A bar from 0 to 100 %; the yielded function takes the fraction done and what is being done."""
    layout = "{desc}: {percentage:3.0f}%|{bar:24}| {elapsed}<{remaining} {postfix}"
    with tqdm(total=1.0, desc=title, bar_format=layout, disable=quiet) as bar:

        def tell(fraction: float, text: str) -> None:
            bar.set_postfix_str(text, refresh=False)
            bar.update(max(0.0, fraction - bar.n))

        yield tell
        tell(1.0, "done")
