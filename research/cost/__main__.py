"""`python -m research.cost`: print the comparison with the specification's printed figures."""

import argparse
import sys
from collections.abc import Sequence

from research.command import run
from research.cost.comparison import page


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m research.cost", description=page.__doc__)
    return run(lambda _: print(page()), parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
