"""Who may import whom, and that importing anything does nothing."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import spd

PACKAGE = Path(spd.__file__).parent
# A module imports from its own row and the rows above it, never from below.
LAYERS = [
    {"errors", "processes", "memory", "_version"},
    {"config", "recipes", "files", "run_folder", "checkpoint_folder", "metrics", "cost"},
    {"pixels", "geometry", "native"},
    {"images", "photos", "focal", "scenes", "image_plan", "calibrate", "questions"},
    {"models", "data", "figures", "outputs"},
    {*("losses", "checkpoint", "encoder_weights", "optim", "peers", "runtimes", "photo_predictor")},
    {"predictor", "runs", "train", "training", "evaluate", "evaluation"},
    {
        *("batch", "benchmark", "experiment", "report", "export", "loading"),
        *("calibrated", "depth_pipeline", "hub", "model_card", "serve"),
    },
    {"cli"},
    {"__main__"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
INPUT_OUTPUT = {
    *("PIL", "matplotlib", "safetensors", "huggingface_hub", "h5py", "pyarrow", "rich", "typer"),
    *("spd.data", "spd.images", "spd.files", "spd.figures", "spd.checkpoint", "json", "tempfile"),
}
# What this machine may lack: there is no embree for Arm Linux, so there are no rooms.
OPTIONAL = ("embreex",)


def modules() -> list[Path]:
    return sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def imports_of(module: Path) -> Iterator[str]:
    """Everything a module imports: at its head, inside functions, and for types only."""
    for node in ast.walk(ast.parse((PACKAGE / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


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


@pytest.mark.parametrize("module", [m for m in modules() if m.parts[0] == "models"], ids=str)
def test_models_import_no_data_plotting_or_io(module):
    for imported in imports_of(module):
        beginnings = {imported.split(".")[0], ".".join(imported.split(".")[:2])}
        assert not beginnings & INPUT_OUTPUT, f"{module} imports {imported}"


def test_metrics_import_numpy_scipy_and_the_errors_alone():
    for module in (m for m in modules() if m.parts[0] == "metrics"):
        for imported in imports_of(module):
            first = imported.split(".")[0]
            allowed = first in ("numpy", "scipy") or first in sys.stdlib_module_names
            assert allowed or imported.startswith(("spd.errors", "spd.metrics")), imported


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
