"""Without the extras: asking a photo and looking at data work, the rest names its extra.

The packages of every extra are hidden from one process that runs all commands, so that the tests
hold in an environment that has them.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer.main

import spd
from helpers.paths import ROOT
from helpers.samples import write_rgbd_folder
from spd.cli.commands import app
from spd.errors import _EXTRAS

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PHOTO = str(Path(spd.__file__).parent / "shipped" / "room.png")
ASKED = (PHOTO, "--points", "60,150", "330,140", "--focal-px", "518.9")
WORKS = {
    "demo": "demo -o OUT/demo",
    "query": f"query {' '.join(ASKED)} --overlay OUT/o.png --map OUT/m.npy --map OUT/cloud.ply",
    "calibrate": f"calibrate {PHOTO} --known 60,150,3.4 330,140,7.6 --focal-px 518.9 -o OUT/c.json",
    "batch": f"batch {PHOTO} --points 60,150 -o OUT/batch",
    "cost": "cost",
    "benchmark": "benchmark -o OUT/benchmark.json",
    "data sheet": "data sheet ROOMS -o OUT/sheet.png",
    "data views": "data views ROOMS:train --recipe rooms_tiny --out OUT/views.png",
    "data check": "data check ROOMS",
    "data convert": "data convert ROOMS OUT/converted",
}
NEEDS = {  # command: (its words, the extra that it names)
    "query": (f"query {' '.join(ASKED)} --runtime torch", "torch"),
    "batch": ("batch OUT/points.parquet -o OUT/other", "parquet"),
    "serve": ("serve --port 0", "serve"),
    "train": ("train --recipe rooms_tiny --data ROOMS:train --plan", "train"),
    "evaluate": ("evaluate shipped --data ROOMS:val -o OUT/evaluation", "train"),
    "score": ("score ROOMS", "train"),
    "report": ("report ROOMS -o OUT/report.html", "train"),
    "pack": ("pack shipped -o OUT/packed", "torch"),
    "data rooms": ("data rooms OUT/rooms --count 1", "train"),
    "export onnx": ("export onnx shipped -o OUT/exported", "export"),
}
FETCHES = {"data fetch", "data extract"}  # need a network or an archive before any extra
PUBLIC = {
    **dict.fromkeys(("SPD", "FeatureMaps", "Predictor", "Scene"), "torch"),
    **dict.fromkeys(("ModelConfig", "__version__", "example_photo", "load", "pipeline"), None),
}
RUN_ALL = """
import contextlib, io, json, sys

hidden, tasks = json.loads(sys.stdin.read())

sys.modules.update(dict.fromkeys(hidden))  # None: importing it fails, and find_spec finds none

def answer(task):
    from spd.cli import run
    if task[0] != "python":
        return run(task)
    try:
        exec(task[1], {})
    except ImportError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0

answers = []
for task in tasks:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = answer(task)
    answers.append((code, out.getvalue(), err.getvalue()))
print(json.dumps(answers))
"""


def modules_of(extra: str) -> set[str]:
    """The import names of what an extra brings, the extras inside it left out."""
    names = (
        re.match(r"[\w-]+", wanted).group() for wanted in PROJECT["optional-dependencies"][extra]
    )
    return {name.replace("-", "_") for name in names if name != "spd"}


def commands(group=None, name="") -> list[str]:
    """Every command of the program, such as `query` and `data rooms`."""
    group = group or typer.main.get_command(app)
    if not hasattr(group, "commands"):
        return [name]
    below = group.commands.items()
    return [
        found for word, command in below for found in commands(command, f"{name} {word}".strip())
    ]


HELP = {name: f"{name} --help" for name in ["", *commands()]}
THERE = {name: found for name, found in NEEDS.items() if name in commands()}


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """(exit code, stdout, stderr) of each command line and each piece of Python."""
    folder = tmp_path_factory.mktemp("base")
    rooms = write_rgbd_folder(folder / "rooms")
    (folder / "points.parquet").touch()
    lines = [*HELP.values(), *WORKS.values(), *(line for line, _ in THERE.values())]
    python = [f"import spd; spd.{name}" for name in PUBLIC] + list(PYTHON)
    fill = lambda text: text.replace("OUT", str(folder)).replace("ROOMS", str(rooms))  # noqa: E731
    tasks = [fill(line).split() for line in lines] + [["python", fill(code)] for code in python]
    hidden = sorted(set().union(*(modules_of(extra) for extra in ("torch", *EXTRAS))))
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL],
        input=json.dumps([hidden, tasks]),
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip([*lines, *python], json.loads(done.stdout), strict=True))


EXTRAS = ("parquet", "train", "serve", "export", "ray")
EXPORTED = str(Path(spd.__file__).parent / "shipped" / "onnx")
ENCODE = f"import spd; s = spd.load().encode({PHOTO!r}, focal_px=518.9); "
PYTHON = {
    ENCODE + "assert s.depth_at([(60, 150)]).shape == (1,)": None,
    ENCODE + "from spd.scenes import points_3d; points_3d(s, [(60, 150)])": None,
    "import spd; spd.load('shipped', runtime='torch')": "torch",
    f"import spd; spd.pipeline()({PHOTO!r}, focal_px=518.9)": "torch",
    "import spd; spd.load('shipped', runtime='openvino')": "export",
    f"from spd.runtimes import open_export; open_export({EXPORTED!r}, 'openvino')": "export",
    "from spd.errors import require; require('numpy', 'ray')": "ray",
}


@pytest.mark.parametrize("name", HELP)
def test_help_needs_no_extra(answers, name):
    code, out, _ = answers[HELP[name]]
    assert code == 0
    assert "--help" in out


@pytest.mark.parametrize("name", WORKS)
def test_what_asks_a_photo_or_looks_at_data_needs_no_extra(answers, name):
    code, out, err = answers[WORKS[name]]
    assert (code, "spd:" in err) == (0, False), err
    assert out


@pytest.mark.parametrize("name", THERE)
def test_a_command_names_the_extra_that_it_needs_in_one_line(answers, name):
    line, extra = THERE[name]
    code, out, err = answers[line]
    assert (code, out) == (2, ""), err
    assert re.fullmatch(rf'spd: .* is not installed; .*pip install "spd\[{extra}\]"\n', err), err


def test_every_command_is_tested_without_the_extras():
    assert set(commands()) <= {*WORKS, *NEEDS, *FETCHES}


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_loads_or_names_the_extra_that_it_needs(answers, name):
    check(answers[f"import spd; spd.{name}"], PUBLIC[name])


@pytest.mark.parametrize("code", PYTHON)
def test_python_answers_or_names_the_extra_that_it_needs(answers, code):
    check(answers[code], PYTHON[code])


def check(answer, extra):
    code, _, err = answer
    if extra is None:
        assert code == 0, err
        return
    assert code == 1
    wanted = rf'MissingExtraError: this needs .*, which is not installed; .*"spd\[{extra}\]"\n'
    assert re.fullmatch(wanted, err), err


def test_every_public_name_is_tested_without_the_extras():
    assert set(PUBLIC) == set(spd.__all__)


def test_every_package_of_an_extra_has_its_extra_in_the_message():
    for extra in ("torch", *EXTRAS):
        assert modules_of(extra) <= set(_EXTRAS[extra]), extra
