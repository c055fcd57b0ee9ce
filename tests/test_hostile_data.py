"""Every reader of frames, archives, evaluations and conversions, on damaged and hostile files.

An answer, or one clear error: never another exception, never a crash, never a long wait.
"""

import functools
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.fakes import make_sample
from helpers.frames import miniature_frames
from helpers.hostile import SOAK, attack, refusal, replacements
from helpers.report_folders import write_evaluation
from helpers.write_general import write_image_folders, write_parquet, write_table
from helpers.write_nyu import write_bts, write_h5, write_h5_tars, write_labelled_mat
from spd.data.check import check_source
from spd.data.convert import JOURNAL, SETTINGS, convert
from spd.data.fetch import extract
from spd.data.formats import open_source
from spd.data.formats.labelled_mat import _load_mat
from spd.data.frame_index import INDEX
from spd.evaluate import score_all
from spd.outputs.maps import read_png_depth, write_png
from spd.report.write import write_report

STORED = ("metrics.json", "per_image.csv", "settings.json", "images.json", "*.npz", "room*.png")
SCORED = ("settings.json", "images.json", "*.npz")
FRAMES = miniature_frames()
Case = tuple[Path, Callable[[], object]]
"""A valid file to damage, and the reader that meets it."""


def source(name: str, write: Callable, number: int, **settings) -> Callable[[Path], Case]:
    """The file of that number in a data source of two frames."""

    def case(folder: Path) -> Case:
        path = write(folder / "data", [FRAMES[n] for n in (0, 2, 4, 5)], **settings)
        files = sorted(file for file in (folder / "data").rglob("*") if file.is_file())
        text = f"{path},camera=nyu" if name in ("parquet", "images") else str(path)

        def read() -> None:
            check_source(text, workers=1)
            for _ in open_source(text):
                pass

        return files[number % len(files)], read

    return case


def converted(folder: Path, name: str) -> Case:
    path, new = write_table(folder / "data", [FRAMES[0]]), folder / "new"
    convert(str(path), new, workers=1)
    entries = json.loads((new / INDEX).read_text())
    (new / JOURNAL).write_text("".join(json.dumps(entry) + "\n" for entry in entries))

    def read() -> None:
        if name == JOURNAL:  # as after a kill
            (new / INDEX).unlink(missing_ok=True)
        convert(str(path), new, workers=1)
        for _ in open_source(str(new)):
            pass

    return new / name, read


def folder_of_frames(folder: Path, ending: str) -> Case:
    new = converted(folder, INDEX)[0].parent
    path = next(path for path in sorted(new.rglob("*")) if path.name.endswith(ending))

    def read() -> None:
        for _ in open_source(str(new)):
            pass

    return path, read


def evaluation(folder: Path, name: str) -> Case:
    write_evaluation(folder / "one", samples=[make_sample(n) for n in (0, 1)], picture=True)
    path = next(path for path in sorted((folder / "one").rglob(name)) if path.is_file())
    return path, lambda: write_report([folder / "one"], folder / "report.html")


def rescored(folder: Path, name: str) -> Case:
    path, _ = evaluation(folder, name)
    return path, lambda: score_all(folder / "one", ())


def old_mat(folder: Path) -> Case:
    from scipy.io import savemat

    path = folder / "splits.mat"
    savemat(path, {"trainNdxs": [[1], [2]], "testNdxs": [[3], [4]]}, do_compression=True)
    return path, lambda: _load_mat(path)


def archive(folder: Path) -> Case:
    path = sorted(write_h5_tars(folder / "data", [FRAMES[0]]).glob("*.tar"))[0]
    numbers = iter(range(10**6))
    return path, lambda: extract([path], folder / str(next(numbers)))


def depth_png(folder: Path) -> Case:
    path = folder / "depth.png"
    write_png(FRAMES[0].depth_m[:20, :30], path)
    return path, lambda: read_png_depth(path)


CASES: dict[str, Callable[[Path], Case]] = {
    "labelled.mat": source("mat", write_labelled_mat, 0),
    "splits.mat": source("mat", write_labelled_mat, 1),
    "bts image": source("bts", write_bts, 0),
    "bts depth": source("bts", write_bts, 1),
    "frame.h5": source("h5", write_h5, 0),
    "frames.tar": source("tars", write_h5_tars, 0),
    "frames.parquet": source("parquet", write_parquet, 0),
    "folder image": source("images", write_image_folders, -1),
    "folder depth": source("images", write_image_folders, 0),
    "table.csv": source("table", write_table, -1),
    "table depth": source("table", write_table, 0),
    "frames.json": lambda folder: folder_of_frames(folder, INDEX),
    "depth of a folder": lambda folder: folder_of_frames(folder, ".depth.png"),
    "frames.json of a conversion": lambda folder: converted(folder, INDEX),
    "journal of a conversion": lambda folder: converted(folder, JOURNAL),
    "settings of a conversion": lambda folder: converted(folder, SETTINGS),
    "old splits.mat": old_mat,
    "archive to unpack": archive,
    "depth.png": depth_png,
    **{f"{name} reported": functools.partial(evaluation, name=name) for name in STORED},
    **{f"{name} scored": functools.partial(rescored, name=name) for name in SCORED},
}


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_a_hostile_file_of_data_is_an_answer_or_one_clear_error(name, tmp_path):
    path, read = CASES[name](tmp_path)
    soak = SOAK and "splits" not in name  # SciPy's reader of .mat crashes on some damaged files
    attack(path, read, name, 6 * (50 if soak else 1))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_other_content_of_data_is_an_answer_or_one_clear_error(name, tmp_path):
    path, read = CASES[name](tmp_path)
    for what in replacements(path):
        refusal(read, f"{name}: {what}")
