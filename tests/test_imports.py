"""Imports form no circle and point one way, and importing a module has no side effect."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import spd
from helpers.paths import ROOT

PACKAGE = Path(spd.__file__).parent
RESEARCH = ROOT / "research"
# A module imports from its own row and the rows above it, never from below.
LAYERS = [
    {"errors", "processes", "terminal", "memory", "_version"},
    {"config", "recipes", "files"},
    {"pixels", "geometry", "cost"},
    {"photos", "checkpoints", "models", "scenes"},
    {"data", "figures", "outputs", "losses"},
    {"peers", "runtimes"},
    {"predictors", "training", "evaluation"},
    {"train", "evaluate"},
    {"batch", "benchmark", "export", "report", "serve"},
    {"cli"},
    {"__main__"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
INPUT_OUTPUT = {
    *("PIL", "matplotlib", "safetensors", "huggingface_hub", "h5py", "pyarrow", "rich", "typer"),
    *("spd.data", "spd.photos", "spd.files", "spd.figures", "spd.checkpoints"),
    *("json", "tempfile"),
}
# The network itself; the compiled kernel beside it keeps a file in the user's cache.
NETWORK = [
    path.relative_to(PACKAGE)
    for path in sorted((PACKAGE / "models").rglob("*.py"))
    if path.parent.name != "kernel"
]
# What this machine may lack: there is no embree for Arm Linux, so there are no rooms.
OPTIONAL = ("embreex",)


def modules() -> list[Path]:
    return sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def imports_of(module: Path, package: Path = PACKAGE) -> Iterator[str]:
    """Everything a module imports: at its head, inside functions, and for types only."""
    for node in ast.walk(ast.parse((package / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def graph(package: Path, *, rooms: bool) -> dict[str, set[str]]:
    """The modules of a package that each of them imports when it runs, lazily too; or its rooms."""
    paths = [path.relative_to(package) for path in package.rglob("*.py")]
    names = {dotted(package.name, path): path for path in paths}
    found: dict[str, set[str]] = {}
    for name, module in names.items():
        if name == package.name:  # spd's lazy public names: every import of ours goes through it
            continue
        imported = {other for other in run_time_imports(package / module) if other in names}
        own = ".".join(name.split(".")[:2]) if rooms else name
        others = {".".join(other.split(".")[:2]) for other in imported} if rooms else imported
        found.setdefault(own, set()).update(others - {own, package.name})
    return found


def dotted(package: str, module: Path) -> str:
    return ".".join((package, *module.with_suffix("").parts)).removesuffix(".__init__")


def exists(name: str) -> bool:
    """Whether a module of ours has this name."""
    path = (ROOT if name.startswith("research") else PACKAGE.parent) / Path(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def run_time_imports(path: Path) -> Iterator[str]:
    """As `imports_of`, without what only a type checker reads, and with imports by a string."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from [name for name in whole if exists(name)] or [str(node.module)]
        elif isinstance(node, ast.Call) and re.search("import", ast.unparse(node.func)):
            yield from (
                str(word.value)
                for word in node.args
                if isinstance(word, ast.Constant)
                and str(word.value).startswith(("spd", "research"))
            )


def circle_in(arrows: dict[str, set[str]]) -> list[str]:
    """The names along one circle; empty where there is none."""
    done: set[str] = set()

    def walk(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return []
        for other in sorted(arrows.get(name, ())):
            if circle := walk(other, [*way, name]):
                return circle
        done.add(name)
        return []

    return next((circle for name in sorted(arrows) if (circle := walk(name, []))), [])


@pytest.mark.parametrize("rooms", [False, True], ids=["modules", "rooms"])
@pytest.mark.parametrize("package", [PACKAGE, RESEARCH], ids=["spd", "research"])
def test_imports_form_no_circle(package, rooms):
    arrows = graph(package, rooms=rooms)
    assert len(arrows) > (25 if package == PACKAGE else 5)
    assert any(arrows.values())
    assert " -> ".join(circle_in(arrows)) == ""


def test_the_package_never_imports_research():
    for module in modules():
        for imported in (*imports_of(module), *run_time_imports(PACKAGE / module)):
            assert imported.split(".")[0] != "research", f"{module} imports {imported}"


def test_a_circle_would_be_found():
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == ["a", "b", "c", "a"]
    assert circle_in({"a": {"b", "c"}, "b": {"c"}}) == []


def test_the_package_has_at_most_36_rooms():
    rooms = [path for path in PACKAGE.iterdir() if path.name != "__pycache__"]
    assert len(rooms) <= 36, sorted(path.name for path in rooms)


def part(dotted: str) -> str | None:
    """`models` for `spd.models.spd` and for `spd.models/...`; None for what is not ours."""
    names = dotted.split(".")
    return names[1] if names[0] == "spd" and len(names) > 1 and names[1] in RANK else None


@pytest.mark.parametrize("module", [m for m in modules() if str(m) != "__init__.py"], ids=str)
def test_imports_point_towards_the_foundations(module):
    own = module.parts[0].removesuffix(".py")
    assert own in RANK, f"give spd.{own} a row in LAYERS and a line in docs/design.md"
    for imported in imports_of(module):
        other = part(imported)
        assert other is None or RANK[other] <= RANK[own], f"{module} imports {imported}"


def test_the_layers_table_of_the_design_is_the_one_that_is_tested():
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    table = page.split("\n## Layers\n")[1].split("\n## ")[0]
    rows = [line.split("|")[2] for line in table.splitlines() if line.startswith("| ")]
    assert [set(re.findall(r"`(\w+)`", row)) for row in rows[1:]] == LAYERS
    assert set(RANK) == {m.parts[0].removesuffix(".py") for m in modules()} - {"__init__"}


@pytest.mark.parametrize("module", NETWORK, ids=str)
def test_models_import_no_data_plotting_or_io(module):
    for imported in imports_of(module):
        beginnings = {imported.split(".")[0], ".".join(imported.split(".")[:2])}
        assert not beginnings & INPUT_OUTPUT, f"{module} imports {imported}"


def test_metrics_import_numpy_scipy_and_the_errors_alone():
    metrics = [m for m in modules() if m.parts[:2] == ("evaluation", "metrics")]
    assert len(metrics) > 5
    for module in metrics:
        for imported in imports_of(module):
            first = imported.split(".")[0]
            allowed = first in ("numpy", "scipy") or first in sys.stdlib_module_names
            assert allowed or imported.startswith(("spd.errors", "spd.evaluation.metrics")), (
                imported
            )


IMPORT_ALL = """
import importlib, os, sys
import numpy, torch
def state():
    legacy = numpy.random.get_state()
    generators = (torch.get_rng_state().numpy().tobytes(), legacy[1].tobytes(), legacy[2:])
    settings = (torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled())
    return generators, settings, torch.are_deterministic_algorithms_enabled(), os.getcwd()
torch.manual_seed(3), numpy.random.seed(3)
before = state()
for name in sys.argv[2:]:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if str(error.name).split(".")[0] not in sys.argv[1].split(","):
            raise
sys.exit(0 if state() == before else "importing changed the state of the process")
"""


def test_importing_every_module_has_no_side_effect():
    names = [
        ".".join(("spd", *module.with_suffix("").parts)).removesuffix(".__init__")
        for module in modules()
    ]
    assert "spd.models.spd" in names
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, ",".join(OPTIONAL), *names],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
