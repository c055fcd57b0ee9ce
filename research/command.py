"""What the research commands share: exit codes, one line for an error, and the name of a stage."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence

from spd.errors import SPDError
from spd.terminal import progress_bar

Progress = Callable[[int, int], None]
"""Called with the number of steps done and their total."""


def run(
    work: Callable[[argparse.Namespace], None],
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None = None,
) -> int:
    """Parse the arguments and do the work.

    Returns:
        The exit code: 0; 2 after a wrong input, which is one line on stderr; 130 after Ctrl-C.
    """
    options = parser.parse_args(arguments)
    try:
        work(options)
    except SPDError as error:
        return _fail(str(error), error.exit_code)
    except KeyboardInterrupt as error:
        return _fail(str(error) or "interrupted", 130)
    return 0


def _fail(message: str, code: int) -> int:
    print(f"research: {message}", file=sys.stderr)
    return code


def unreported(done: int, total: int) -> None:
    """Report no progress."""


@contextlib.contextmanager
def stage(title: str, *, bar: bool = True) -> Iterator[Progress]:
    """Show the progress of a stage on stderr: a bar on a terminal, the title alone elsewhere.

    Args:
        title: what the stage does.
        bar: False while something is timed, because a bar redraws from a thread of its own.
    """
    if bar and sys.stderr.isatty():
        with progress_bar(title) as progress:
            yield progress
    else:
        print(title, file=sys.stderr, flush=True)
        yield unreported
