"""The command line: `spd query`, `train`, `evaluate`, `report`, `benchmark`, `cost`, ...

Each command is one typed function that imports what it needs when it runs, so that `spd --help`
loads neither torch nor transformers.
"""

import itertools
import re
import sys
from collections.abc import Sequence

_POINTS = ("--points", "--known", "--box", "--line", "--distance")  # lists of numbers with commas
_LISTS = (*_POINTS, "--data", "--val", "--set", "--training-data")  # take several values
_EXTRAS = {  # what else than PyTorch a command needs, so that one installation is enough
    **dict.fromkeys(("benchmark", "data", "evaluate", "train"), "train"),
    "export": "export",
}
_BOUNDARIES = ("sparse", "dense")  # what evaluate --boundaries takes; alone it is the first


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0, 2 after a wrong input, 130 after an interruption."""
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: Sequence[str]) -> int:
    """Run one command; what a user got wrong becomes one line on stderr. Returns the exit code."""
    import typer.exceptions

    from spd.cli.commands import app
    from spd.errors import SPDError, missing_extras_named

    try:
        with missing_extras_named(_EXTRAS.get(next(iter(argv), ""))):
            code = app(spread_lists(argv), prog_name="spd", standalone_mode=False)
    except typer.exceptions.TyperException as error:
        message = error.format_message().strip()
        if not message:  # plain `spd`: the help has been shown
            return error.exit_code
        return _fail(f"{' '.join(message.split())} (see spd --help)")
    except SPDError as error:
        return _fail(str(error), 130 if type(error).__name__ == "StoppedError" else 2)
    except (KeyboardInterrupt, typer.exceptions.Abort):
        return _fail("interrupted", 130)
    return code if isinstance(code, int) else 0


def spread_lists(argv: Sequence[str]) -> list[str]:
    """`--points 3,4 -0.5,3` as `--points=3,4 --points=-0.5,3`, which every parser understands."""
    spread: list[str] = []
    option: str | None = None
    first = False
    evaluates = list(argv[:1]) == ["evaluate"]
    for token, following in itertools.zip_longest(argv, argv[1:], fillvalue=""):
        if evaluates and token == "--boundaries" and following not in _BOUNDARIES:
            option = None
            spread.append(f"{token}={_BOUNDARIES[0]}")
        elif token in _LISTS:
            option, first = token, True
        elif option and (_goes_on(option, token) or (first and not token.startswith("-"))):
            spread.append(f"{option}={token}")
            first = False
        else:
            option = None
            spread.append(token)
    return spread


def _goes_on(option: str, token: str) -> bool:
    """Whether a word belongs to the list before it: no option, and of a form that it may hold."""
    if option in _POINTS:
        # `-10,0` goes on; `--intrinsics=520,520,320,240` has commas too, and is an option.
        return not token.startswith("--") and re.fullmatch(r"-?[\d.]+|.*,.*", token) is not None
    return not token.startswith("-")


def _fail(message: str, code: int = 2) -> int:
    print(f"spd: {message}", file=sys.stderr)
    return code
