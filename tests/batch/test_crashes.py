"""A photo that ends the process which reads it costs its own rows only."""

import json

import pytest

from helpers.batches import answer, bytes_of, model, read, write_photos
from helpers.crashing import CRASHING, start_crashing, start_dying
from spd.batch import engines
from spd.errors import BatchError

pytestmark = pytest.mark.slow  # each process loads torch

DIED = "the process that asked it died"


@pytest.fixture
def photos(tmp_path):
    """12 photos, of which one ends its process."""
    folder = tmp_path / "photos"
    names = write_photos(folder, 12)
    (folder / names[3]).rename(folder / f"0003{CRASHING}.png")
    return folder


def asked(given: str) -> dict:
    return {"grid": (2, 1)} if given == "grid" else {"points": ((3.0, 4.0), (5.0, 6.0))}


def check_rows(out, rows: int = 24) -> None:
    found = read(out)
    assert len(found) == rows
    for row in found:
        assert (row["error"] is not None) == (CRASHING in row["image"])
        if row["error"]:
            assert DIED in row["error"]
            assert CRASHING in row["error"]


def test_workers_go_on_after_photos_that_end_them(photos, model, monkeypatch):
    out = photos.parent / "out"
    monkeypatch.setattr(engines, "_start", start_crashing)
    summary = answer(out, model, photos, given=asked("grid"), workers=2, photos_per_part=5)
    assert (summary.rows, summary.failed) == (24, 2)
    check_rows(out)


def test_one_process_that_died_is_not_ended_again_by_the_same_photo(photos, model, monkeypatch):
    out, whole = photos.parent / "out", photos.parent / "whole"
    answer(whole, model, photos, given=asked("points"))  # nothing crashes in this process
    crashing = [str(path) for path in photos.glob(f"*{CRASHING}*")]
    out.mkdir()
    (out / engines.ASKED).write_text(json.dumps(crashing))  # as a run leaves it that died
    for name in ("batch.json", "state"):
        (whole / name).rename(out / name)
    monkeypatch.setattr(engines, "_start", start_crashing)
    summary = answer(out, model, photos, given=asked("points"))
    assert summary.failed == 2
    check_rows(out)
    assert not (out / engines.ASKED).exists()
    before = bytes_of(out)
    assert answer(out, model, photos, given=asked("points")).rows_before == 24
    assert bytes_of(out) == before


@pytest.mark.parametrize("noted", ["[", "{}", "[1, 2]", "null", "", "[" * 9999])
def test_a_damaged_note_is_no_error(photos, model, noted):
    out = photos.parent / "out"
    assert answer(out, model, photos, given=asked("points")).failed == 0
    for path in (*out.glob("part-*"), *(out / "state").iterdir()):
        path.unlink()
    (out / engines.ASKED).write_text(noted)
    assert answer(out, model, photos, given=asked("points")).failed == 0


def test_a_process_that_cannot_load_the_model_is_one_error(photos, model, monkeypatch):
    monkeypatch.setattr(engines, "_start", start_dying)
    with pytest.raises(BatchError, match="died while it loaded the model, perhaps for lack of"):
        answer(photos.parent / "out", model, photos, given=asked("points"), workers=2)
