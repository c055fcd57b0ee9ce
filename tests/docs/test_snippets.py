"""What the pages show in fences runs as written, or stands in a table here with the reason.

`test_docs.py` holds besides that every command's options exist. Beside each page's own tests this
runs what is cheap: with small data of the same names, and the model that ships under the names of
the runs that a reader would have trained.
"""

import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import spd
from helpers.doc_pages import DOCS, PAGES, blocks, commands, name_of
from helpers.loaded_once import load_once
from helpers.samples import write_rgbd_folder
from spd.cli import run
from spd.config import EncoderConfig
from spd.models.encoder_vits.vit_s import Encoder

RUN_BY_THEIR_OWN_TESTS = {
    "parallel.md": "tests/docs/test_parallel_page.py",
    "README.md": "tests/test_readme.py",
    "index.md": "tests/test_readme.py",
    "asking.md": "tests/scenes/test_asking_page.py",
    "batch.md": "tests/batch/test_batch_command.py",
    "change_model.md": "tests/training/test_change_model_page.py",
    "hub.md": "tests/export/test_hub_page.py",
    "photos.md": "tests/photos/test_photo_page.py",
    "serving.md": "tests/serve/test_serving_page.py",
}
LONG = "trains or renders for minutes to hours; tests/training and tests/data do so in small"
NYU = "needs NYU Depth V2, or frames called so"
HUB = "fetches from the hub"
MAKE = "sets up this project itself; .ci/run does so"

NOT_RUN_ANYWHERE = {
    "make ": MAKE,
    "pip install": MAKE,
    "spd serve": "answers until it is stopped; tests/serve/test_serve_command.py does so",
}
NOT_RUN = {  # page: {how a command begins: why it is not run}
    "data.md": {"spd data rooms": LONG, "spd train": LONG},
    "encoder_weights.md": {"spd train": HUB},
    "evaluation.md": {"spd evaluate runs/nyu": NYU, "spd score out/nyu": NYU},
    "export.md": {
        "spd export onnx": "tests/export exports; the shipped model's export stands in for it",
        "spd data rooms": LONG,
    },
    "formats.md": {"spd data": NYU},
    "peers.md": {"spd ": HUB},
    "results.md": {"spd ": "a record of what was run; renders and scores for minutes"},
    "training.md": {
        "spd data fetch": HUB,
        "spd data check nyu": NYU,
        "spd data views nyu": NYU,
        "spd train": LONG,
        "spd evaluate runs/nyu": NYU,
        "torchrun": "needs four GPUs; tests/training/test_parallel.py trains in two processes",
        "mine/": "shows how files lie, and is no command",
    },
    "design.md": {"": "a drawing"},
}
OTHER_TESTS_RUN_THE_PYTHON_OF = {"data.md": "test_docs.py"}


def reason(page: Path, command: str) -> str | None:
    """Why a command is not run."""
    table = NOT_RUN_ANYWHERE | NOT_RUN.get(name_of(page), {})
    return next((why for start, why in table.items() if command.startswith(start)), None)


OWN = [page for page in PAGES if name_of(page) not in RUN_BY_THEIR_OWN_TESTS]
GENERATED = ("reference/commands.md", "reference/configuration.md", "reference/http.md")
RUN = [
    pytest.param(page, command, id=f"{name_of(page)}-{command}")
    for page in OWN
    if name_of(page) not in GENERATED
    for command in commands(page)
    if reason(page, command) is None
]
PYTHON = [
    page
    for page in OWN
    if name_of(page) not in OTHER_TESTS_RUN_THE_PYTHON_OF
    and any(block.language == "python" for block in blocks(page))
]


@pytest.fixture
def workplace(tmp_path, monkeypatch) -> Path:
    """A folder with small files of the names that the pages use."""
    monkeypatch.chdir(tmp_path)
    load_once(monkeypatch)
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    Image.fromarray(noise).save("photo.jpg")
    shipped = Path(spd.__file__).parent / "shipped"
    for name in ("rooms_tiny", "mine"):
        shutil.copytree(shipped, Path("runs", name), ignore=shutil.ignore_patterns("onnx"))
    shutil.copytree(shipped / "onnx", "exported")
    for folder in ("rooms", "data/rooms", "mine"):
        write_rgbd_folder(Path(folder))
    return tmp_path


def as_image_folders(folder: Path) -> None:
    """The frames of an RGB-D folder as docs/training.md has a reader's own data."""
    for split, number in (("train", 0), ("train", 1), ("val", 3)):
        for kind, ending in (("images", ".jpg"), ("depth", ".png")):
            (folder / kind / split).mkdir(parents=True, exist_ok=True)
            name = f"frame-{number}{'.depth' * (kind == 'depth')}.png"
            with Image.open(folder / name) as picture:
                # The page's 525 px are 34 degrees of these, which is nothing to warn of.
                large = picture.resize((320, 240), Image.Resampling.NEAREST)
                large.save(folder / kind / split / f"{number:04d}{ending}")
    for file in folder.glob("f*.*"):
        file.unlink()


@pytest.mark.parametrize(("page", "command"), RUN)
def test_the_command_runs(page, command, workplace, capsys):
    if name_of(page) == "training.md":
        as_image_folders(workplace / "mine")
    program, *words = shlex.split(command)
    assert program == "spd", "list it in NOT_RUN, or teach this test to run it"
    if "openvino" in words:
        pytest.importorskip("openvino", reason="an extra (pip install -e '.[export]')")
    assert run(words) == 0, capsys.readouterr().err
    assert capsys.readouterr().out


@pytest.mark.parametrize("page", PYTHON, ids=name_of)
def test_the_python_runs(page, workplace):
    if name_of(page) == "export.md":
        pytest.importorskip("openvino", reason="an extra (pip install -e '.[export]')")
    if name_of(page) == "encoder_weights.md":
        Path("weights").mkdir()
        tensors = Encoder(EncoderConfig()).state_dict()
        torch.save(tensors, "weights/depth_anything_v2_vits.pth")
    scope: dict[str, object] = {"__name__": "__main__"}
    for block in blocks(page):
        if block.language == "python":
            exec(compile(block.text, page.name, "exec"), scope)


def test_every_language_of_a_block_is_known():
    """JavaScript: tests/runtimes/test_web.py does the same; JSON: tests/test_docs.py reads it.

    TOML: tests/training/test_change_model_page.py trains with it.
    """
    languages = {block.language for page in PAGES for block in blocks(page)}
    assert languages <= {"", "bash", "python", "json", "js", "toml"}


def test_the_tables_name_what_there_is():
    for page, table in NOT_RUN.items():
        shown = commands(next(path for path in PAGES if name_of(path) == page))
        for start in table:
            assert any(command.startswith(start) for command in shown), (page, start)
    for page, test in RUN_BY_THEIR_OWN_TESTS.items():
        text = (DOCS.parent / test).read_text(encoding="utf-8")
        assert page in text
        assert page in map(name_of, PAGES)
    assert [block.language for block in blocks(PAGES[0])].count("python") == 1  # test_readme's
    assert len(RUN) > 10


def test_a_command_is_read_with_its_second_line_and_without_its_remark(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```bash\nspd a \\\n    --b c   # why\n# only this\nspd d\n```\n")
    assert commands(page) == ["spd a --b c", "spd d"]
