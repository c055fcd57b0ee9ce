"""The command line: `spd query`, `train`, `evaluate`, ...

Each command imports what it needs when it runs, so that `spd --help` loads neither torch nor
transformers.
"""

import inspect
import io
import itertools
import re
import sys
import typing
import warnings
from collections.abc import Sequence
from typing import Any

_EXTRAS = {  # what else than PyTorch a command needs, so that one installation is enough
    **dict.fromkeys(("benchmark", "data", "evaluate", "train"), "train"),
    "export": "export",
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0, 2 after a wrong input, 130 after an interruption.

    SIGTERM and SIGHUP end a command as Ctrl-C does, with exit code 143 or 129.
    """
    ended: list[int] = []
    try:
        from spd.terminal import end_by_signals

        ended = end_by_signals()
        from spd.cli.streams import use_steady_streams
        from spd.memory import own_this_process
        from spd.processes import use_usable_cpus, wait_passively

        own_this_process()
        wait_passively()
        use_usable_cpus()
        use_steady_streams()
        warnings.formatwarning = lambda message, *_: f"spd: warning: {message}\n"
        code = run(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:  # while modules are imported, or output is finished
        code = 130
    sys.exit(128 + ended[0] if ended else code)


def run(argv: Sequence[str]) -> int:
    """Run one command; a wrong input becomes one line on stderr. Returns the exit code."""
    import typer.exceptions
    import typer.main

    from spd.cli.commands import app
    from spd.cli.guard import guard
    from spd.cli.launched import errors_of_main_first, is_another_process
    from spd.cli.streams import finish_output
    from spd.errors import SPDError, missing_extras_named
    from spd.files import leave_removed_folder

    is_removed = leave_removed_folder()
    for stream in (sys.stdout, sys.stderr):  # a file name may have bytes that are not UTF-8
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    command = typer.main.get_command(app)
    guard(command)
    try:
        with errors_of_main_first(argv), missing_extras_named(_EXTRAS.get(next(iter(argv), ""))):
            words = spread_lists(argv, command)
            code = command.main(words, prog_name="spd", standalone_mode=False)
        finish_output()
    except typer.exceptions.TyperException as error:
        message = error.format_message().strip()
        if not message:  # plain `spd`, which has printed the help
            return error.exit_code
        context = getattr(error, "ctx", None)  # of a usage error: the command it was made in
        name = context.command_path if context else "spd"
        return _fail(f"{' '.join(message.split())} (see {name} --help)")
    except SPDError as error:
        needs_hint = is_removed and "no longer exists" not in str(error)
        hint = "; the current folder no longer exists, so pass absolute paths" * needs_hint
        return _fail(f"{error}{hint}", error.exit_code)
    except MemoryError:  # of a library; our own is an SPDError
        return _fail("out of memory; free some, or use smaller photos or fewer points")
    except (KeyboardInterrupt, typer.exceptions.Abort):
        return 130 if is_another_process(argv) else _fail("interrupted", 130)
    return code if isinstance(code, int) else 0


def spread_lists(argv: Sequence[str], command: Any) -> list[str]:
    """Rewrite `--points 3,4 -0.5,3` as `--points=3,4 --points=-0.5,3`, which the parser takes.

    Options that are `list[str]` take several values, unless a metavar without "..." names one; a
    comma in the metavar means numbers with commas. An option whose metavar is in square
    brackets, such as `[sparse|dense]`, may stand alone, which means its first value.

    Args:
        argv: words of the command line.
        command: the parser, a group of commands.
    """
    options = _options(argv, command)
    spread: list[str] = []
    name, first = "", False
    for token, following in itertools.zip_longest(argv, argv[1:], fillvalue=""):
        metavar = options.get(token)
        if metavar is not None and metavar.startswith("["):
            name, values = "", metavar.strip("[]").split("|")
            spread.append(token if following in values else f"{token}={values[0]}")
        elif metavar is not None:
            name, first = token, True
        elif name and (_continues(options[name], token) or (first and not token.startswith("-"))):
            spread.append(f"{name}={token}")
            first = False
        else:
            name = ""
            spread.append(token)
    return spread


def _options(argv: Sequence[str], command: Any) -> dict[str, str]:
    """Metavars of the named command's options that `spread_lists` rewrites, by name."""
    for word in argv:
        if word not in getattr(command, "commands", {}):
            break
        command = command.commands[word]
    found: dict[str, str] = {}
    function = inspect.unwrap(command.callback or (lambda: None))  # a group may have none
    for annotation in function.__annotations__.values():
        if typing.get_origin(annotation) is not typing.Annotated:
            continue
        kind, option, *_ = typing.get_args(annotation)
        metavar = getattr(option, "metavar", None) or ""
        several = kind in (list[str], list[str] | None) and (not metavar or "..." in metavar)
        if several or metavar.startswith("["):
            names = (option.default, *(option.param_decls or ()))  # in Annotated, one is there
            found |= dict.fromkeys((n for n in names if str(n).startswith("--")), metavar)
    return found


def _continues(metavar: str, token: str) -> bool:
    """True if a word is a further value of a list option, not an option or an argument."""
    if "," in metavar:  # `-10,0` is a value; `--intrinsics=520,520,320,240` is an option
        return not token.startswith("--") and re.fullmatch(r"-?[\d.]+|.*,.*", token) is not None
    return not token.startswith("-")


def _fail(message: str, code: int = 2) -> int:
    print(f"spd: {message}", file=sys.stderr)
    return code
