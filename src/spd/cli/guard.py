"""Files of a command, checked before it starts: no output may be one of its inputs.

`spd.cli.run` checks every command. A parameter of type Path is an input; `Writes` marks the
outputs, and `Reads` parameters of type `str` that name an input, such as a model or a data source.
"""

import ast
import dataclasses
import functools
import inspect
import os
import re
import stat
import sys
import textwrap
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from spd.errors import DataError
from spd.files import check_folder, real_path, refuse_existing

_INDEX = "frames.json"  # with an index, only the frames that it lists are read
_NEVER_READ = (".html",)
_SHIPPED = Path(__file__).parents[1] / "shipped"  # the default model


@dataclasses.dataclass(frozen=True, slots=True)
class Reads:
    """Marks a parameter of type `str` that names an input."""

    data: bool = False
    """Whether it is a data source, which may consist of every image below its folder."""


@dataclasses.dataclass(frozen=True, slots=True)
class Writes:
    """Marks a parameter that names an output."""

    folder: bool = False
    """Whether it is a folder. The command itself refuses one that has other content."""
    files: tuple[str, ...] = ()
    """Names of the files that are written into the folder."""
    keeps: bool = False
    """Whether existing files of the folder are kept, so that it may hold inputs."""


@dataclasses.dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a command that names files."""

    name: str
    mark: Reads | Writes


def parameters_of(command: Callable[..., Any]) -> list[Parameter]:
    """Parameters of a command that name files, by their annotations."""
    found = []
    for name, annotation in inspect.unwrap(command).__annotations__.items():
        kind, *about = typing.get_args(annotation) or (annotation,)
        mark = next((one for one in about if isinstance(one, Reads | Writes)), None)
        if mark is None and _holds_path(kind):
            mark = Reads()
        if mark is not None:
            found.append(Parameter(name, mark))
    return found


def guard(command: Any) -> None:
    """Let a parser's commands check their files before they start."""
    for one in getattr(command, "commands", {}).values():
        guard(one)
    if not getattr(command, "commands", {}):
        files = parameters_of(command.callback)
        command.make_context = functools.partial(_make_context, command.make_context, files)
        if sys.flags.optimize > 1:  # Python has dropped the docstring, which is the help
            command.help = _docstring(command.callback)


def _make_context(
    make: Callable[..., Any], parameters: Sequence[Parameter], *words: Any, **options: Any
) -> Any:
    """Parse a command's words, then check its files."""
    context = make(*words, **options)
    named = [p.name for p in parameters if _is_named(context, p.name)]
    check_files(parameters, context.params, named)
    return context


def _is_named(context: Any, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def check_files(
    parameters: Sequence[Parameter], values: Mapping[str, Any], named: Sequence[str]
) -> None:
    """Refuse outputs that are inputs, two outputs in one file, and unnamed files that exist.

    Args:
        parameters: the parameters that name files.
        values: value of every parameter.
        named: names of the parameters that the user gave.

    Raises:
        DataError: naming the output and what to do.
    """
    inputs = [
        (path, mark)
        for name, mark in ((p.name, p.mark) for p in parameters)
        if isinstance(mark, Reads)
        for text in _texts(values.get(name))
        for path in _paths_in(text)
    ]
    files: list[Path] = []
    for name, mark in ((p.name, p.mark) for p in parameters):
        if not isinstance(mark, Writes):
            continue
        for path in map(Path, _texts(values.get(name))):
            written = [path / file for file in mark.files]
            if mark.folder:
                check_output_folder(path, mark, inputs)
            elif not mark.files:
                written = [path]
            for file in written:
                if (mark.files or name not in named) and not values.get("overwrite"):
                    refuse_existing(file)
                check_output_file(file, [_SHIPPED, *(one for one, _ in inputs)])
            files += written
    _refuse_twice(files)


def check_output_file(path: Path, inputs: Iterable[Path]) -> None:
    """Refuse an existing file that is an input, or a file of an input folder.

    Links are followed, and hard links found by their inode.

    Raises:
        DataError: if it is one of these.
    """
    try:
        status = os.stat(path)
    except OSError:
        return
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISFIFO(status.st_mode)):
        return  # a terminal may be input and output
    for one in inputs:
        if _is_same(one, status):
            raise DataError(
                f"{path} is also an input of this command ({one}); choose a different output"
            )
        inside = os.path.isdir(one) and path.suffix.lower() not in _NEVER_READ
        if inside and any(_is_same(file, status) for file in _files_below(one)):
            raise DataError(
                f"{path} is in the input folder {one}, and would be overwritten; choose a "
                "different output"
            )


def check_output_folder(path: Path, mark: Writes, inputs: Iterable[tuple[Path, Reads]]) -> None:
    """Refuse a folder that is or holds an input, or would become part of one.

    Raises:
        DataError: if it is one of these, or cannot be written.
    """
    check_folder(path)
    folder = real_path(path)
    for one, reads in inputs:
        place = real_path(one)
        if place == folder or (place.is_relative_to(folder) and not mark.keeps):
            relation = "is" if place == folder else "contains"
            raise DataError(
                f"the output folder {path} {relation} the input {one}; choose a different output "
                "folder"
            )
        within = folder.is_relative_to(place) and place.is_dir()
        if within and reads.data and not (place / _INDEX).is_file():
            raise DataError(
                f"the output folder {path} is in the data folder {one}, where its files would be "
                "read as data; choose a different output"
            )


def _refuse_twice(files: Sequence[Path]) -> None:
    """Refuse two outputs with the same file, unless it is a device."""
    seen: dict[Path, Path] = {}
    for file in files:
        place = real_path(file)
        if place in seen and (not place.exists() or place.is_file()):
            raise DataError(
                f"{seen[place]} and {file} are the same file; choose a different output"
            )
        seen[place] = file


def _texts(value: Any) -> list[str]:
    """Value of a parameter as texts."""
    values = value if isinstance(value, list | tuple) else [] if value is None else [value]
    return [os.fspath(one) for one in values if isinstance(one, str | os.PathLike)]


def _paths_in(text: str) -> Iterator[Path]:
    """Existing paths in a text such as PATH, PATH:SPLIT,root=PATH or train.start=PATH."""
    ends = (match.start() for match in re.finditer(r"[:,]", text))
    assigned = (part.partition("=")[2] for part in re.split(r",(?=\w+=)", text))
    for candidate in (text, *(text[:end] for end in ends), *assigned):
        if candidate and os.path.exists(candidate):
            yield Path(candidate)


def _is_same(path: str | os.PathLike[str], status: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat(path), status)
    except OSError:
        return False


def _files_below(folder: Path) -> Iterator[str]:
    seen: set[str] = set()  # links may lead in a circle
    for parent, folders, names in os.walk(folder, followlinks=True):
        seen.add(os.path.realpath(parent))
        folders[:] = [f for f in folders if os.path.realpath(os.path.join(parent, f)) not in seen]
        yield from (os.path.join(parent, name) for name in names)


def _holds_path(kind: Any) -> bool:
    return kind is Path or any(_holds_path(part) for part in typing.get_args(kind))


def _docstring(function: Callable[..., Any]) -> str | None:
    """Docstring of a function, from its source."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    first = tree.body[0]
    return ast.get_docstring(first) if isinstance(first, ast.FunctionDef) else None
