"""A batch run again after its photos or its table changed: what changed is asked, the rest kept."""

import json
import os
import shutil

import pyarrow as pa
import pytest
from pyarrow import parquet

import spd
from helpers.batches import answer, bytes_of, model, parts_of, read, table, write_photos
from spd.batch import resume as resume_module
from spd.errors import BatchError
from spd.predictors.torch_predictor import Predictor

POINTS = {"points": ((3, 4), (10.5, 7.25))}


@pytest.fixture
def encoded(monkeypatch):
    """Names of the photos that are encoded."""
    names = []
    encode = Predictor.encode

    def traced(self, image, **given):
        names.append(os.path.basename(image))
        return encode(self, image, **given)

    monkeypatch.setattr(Predictor, "encode", traced)
    return names


def run(folder, model, form="parquet", **settings):
    options = {"given": POINTS, "photos_per_part": 2, "table_form": form, **settings}
    return answer(folder.parent / "out", model, folder, **options)


def fresh(folder, model, **settings):
    """The bytes of a new batch over the same photos."""
    out = folder.parent / "fresh"
    answer(out, model, folder, given=POINTS, photos_per_part=2, **settings)
    return bytes_of(out)


def replace(path, other):
    path.write_bytes(other.read_bytes())
    os.utime(path, ns=(1, 1))  # the clock of a file system can be coarser than this test


def test_a_replaced_photo_is_asked_again_and_no_other(tmp_path, model, encoded):
    photos = tmp_path / "photos"
    write_photos(photos, 5)
    run(photos, model, maps="npy")
    old = {row["map_path"]: row for row in read(tmp_path / "out")}
    replace(photos / "0002.png", photos / "0004.png")
    encoded.clear()
    summary = run(photos, model, maps="npy")
    assert encoded == ["0002.png"]
    assert (summary.changed, summary.added, summary.removed) == (1, 0, ())
    assert (summary.rows, summary.rows_before) == (10, 8)
    rows = read(tmp_path / "out")
    assert [row["depth_m"] for row in rows[4:6]] == [row["depth_m"] for row in rows[8:10]]
    assert {row["map_path"]: row for row in rows}.keys() == old.keys()
    assert bytes_of(tmp_path / "out") == fresh(photos, model, maps="npy")
    encoded.clear()
    assert run(photos, model, maps="npy").rows_before == 10
    assert encoded == []


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_photos_are_added_and_removed_anywhere(tmp_path, model, encoded, form):
    photos, kept = tmp_path / "photos", tmp_path / "kept"
    write_photos(photos, 6)
    kept.mkdir()
    for name in ("0000.png", "0003.png"):
        (photos / name).rename(kept / name)
    run(photos, model, form)
    (kept / "0000.png").rename(photos / "0000.png")
    (kept / "0003.png").rename(photos / "0003.png")
    gone = photos / "0005.png"
    gone.rename(kept / gone.name)
    encoded.clear()
    summary = run(photos, model, form)
    assert encoded == ["0000.png", "0003.png"]
    assert (summary.changed, summary.added, summary.removed) == (0, 2, (str(gone),))
    out, again = tmp_path / "out", tmp_path / "fresh"
    answer(again, model, photos, given=POINTS, photos_per_part=2, table_form=form)
    for part in sorted(again.glob(f"part-*.{form}")):
        assert (out / part.name).read_bytes() == part.read_bytes()
    assert len(list(out.glob("part-*"))) == len(list(again.glob("part-*"))) == 3
    assert json.loads((out / "batch.json").read_text())["photos"] == 5


def test_fewer_photos_leave_no_part_of_the_earlier_run(tmp_path, model):
    photos = tmp_path / "photos"
    names = write_photos(photos, 6)
    run(photos, model)
    for name in names[:4]:
        (photos / name).unlink()
    assert len(run(photos, model).removed) == 4
    assert bytes_of(tmp_path / "out") == fresh(photos, model)
    assert len(parts_of(tmp_path / "out")) == len(list((tmp_path / "out" / "state").iterdir())) == 1


def test_rows_are_added_to_a_table_and_changed_in_it(table, model, encoded):
    out = table.parent / "out"
    answer(out, model, table, photos_per_part=2)
    rows = parquet.read_table(table).to_pylist()
    rows[7]["u"] = 1.25
    rows[3]["label"] = "another"
    rows.append({**rows[0], "image": "photos/none.png"})
    parquet.write_table(pa.Table.from_pylist(rows), table)
    encoded.clear()
    summary = answer(out, model, table, photos_per_part=2)
    assert encoded == ["0002.png", "none.png"]
    assert (summary.changed, summary.added, summary.failed) == (1, 1, 1)
    answer(table.parent / "fresh", model, table, photos_per_part=2)
    assert bytes_of(out) == bytes_of(table.parent / "fresh")
    encoded.clear()
    (table.parent / "photos" / "0000.png").rename(table.parent / "photos" / "none.png")
    assert answer(out, model, table, photos_per_part=2).failed == 5
    assert encoded == ["0000.png", "none.png"]


def test_a_run_killed_while_it_rewrites_parts_loses_nothing_that_it_cannot_ask(
    tmp_path, model, monkeypatch
):
    photos = tmp_path / "photos"
    write_photos(photos, 6)
    first = photos / "0000.png"
    first.rename(tmp_path / "0000.png")
    run(photos, model)
    (tmp_path / "0000.png").rename(first)
    for stop in ("write_text", "write_bytes", "remove_part"):
        with monkeypatch.context() as context:
            original = getattr(resume_module, stop)

            def stops(*given, original=original, stop=stop):
                if "part-" in str(given[0]) or stop == "remove_part":
                    original(*given)
                    raise KeyboardInterrupt
                original(*given)

            context.setattr(resume_module, stop, stops)
            with pytest.raises(KeyboardInterrupt):
                run(photos, model)
    run(photos, model)
    assert bytes_of(tmp_path / "out") == fresh(photos, model)


def test_an_entirely_different_input_is_refused(tmp_path, model):
    write_photos(tmp_path / "photos", 2)
    write_photos(tmp_path / "others", 2)
    run(tmp_path / "photos", model)
    before = bytes_of(tmp_path / "out")
    with pytest.raises(BatchError, match="contains a batch with different photos; choose a diff"):
        run(tmp_path / "others", model)
    assert bytes_of(tmp_path / "out") == before


@pytest.mark.parametrize("where", [4, 100, 1000, -30, -1])
def test_a_flipped_byte_of_a_part_is_found(tmp_path, model, where):
    write_photos(tmp_path / "photos", 2)
    run(tmp_path / "photos", model)
    (part,) = parts_of(tmp_path / "out")
    content = bytearray(part.read_bytes())
    content[where] ^= 1
    part.write_bytes(content)
    with pytest.raises(BatchError, match=r"part-000000.parquet is damaged; delete it and run"):
        run(tmp_path / "photos", model)
    part.unlink()
    run(tmp_path / "photos", model)
    assert bytes_of(tmp_path / "out") == fresh(tmp_path / "photos", model)


@pytest.mark.parametrize("record", ["", "{", "[]", '{"sha256": 5}', '{"photos": [[1]]}', "\0"])
def test_a_damaged_record_is_an_error_and_never_a_wrong_row(tmp_path, model, record):
    write_photos(tmp_path / "photos", 2)
    run(tmp_path / "photos", model)
    (tmp_path / "out" / "state" / "part-000000.json").write_text(record)
    with pytest.raises(BatchError, match=r"part-000000.parquet is damaged; delete it and run"):
        run(tmp_path / "photos", model)


def test_depth_of_a_replaced_photo_is_that_of_the_new_one(tmp_path, model):
    photos = tmp_path / "photos"
    write_photos(photos, 2)
    run(photos, model)
    replace(photos / "0001.png", photos / "0000.png")
    run(photos, model)
    scene = spd.load(model, device="cpu").encode(photos / "0000.png", fov_deg=60)
    rows = read(tmp_path / "out")
    assert [row["depth_m"] for row in rows[:2]] == [row["depth_m"] for row in rows[2:]]
    assert scene.size == (30, 40)


def test_a_photo_that_became_unreadable_has_no_map_any_more_and_is_asked_when_mended(
    tmp_path, model, encoded
):
    photos = tmp_path / "photos"
    write_photos(photos, 3)
    good = (photos / "0001.png").read_bytes()
    run(photos, model, maps="npy")
    (photos / "0001.png").write_bytes(b"no photo")
    assert run(photos, model, maps="npy").failed == 2
    assert [row["map_path"] is None for row in read(tmp_path / "out")] == [False] * 2 + [
        True
    ] * 2 + [False] * 2
    assert bytes_of(tmp_path / "out") == fresh(photos, model, maps="npy")
    (photos / "0001.png").write_bytes(good)
    encoded.clear()
    assert run(photos, model, maps="npy").failed == 0
    assert encoded == ["0001.png"]
    assert len(list((tmp_path / "out" / "maps").iterdir())) == 3


@pytest.mark.parametrize("change", ["rename", "move", "copy", "link", "pipe"])
def test_a_photo_with_another_path_or_kind_gives_the_rows_of_a_new_batch(tmp_path, model, change):
    photos = tmp_path / "photos"
    write_photos(photos, 4)
    run(photos, model)
    first, other = photos / "0000.png", photos / "0002.png"
    (photos / "deep").mkdir()
    if change == "rename":
        first.rename(photos / "z.png")
    elif change == "move":
        first.rename(photos / "deep" / "0000.png")
    elif change == "copy":
        shutil.copy2(first, photos / "0001 copy.png")
    elif change == "link":
        first.unlink()
        first.symlink_to(other)
    else:
        first.unlink()
        os.mkfifo(first)
    run(photos, model)
    assert bytes_of(tmp_path / "out") == fresh(photos, model)


def test_rows_in_another_order_or_with_a_changed_focal_length_are_those_of_a_new_batch(
    table, model, encoded
):
    out = table.parent / "out"
    answer(out, model, table, photos_per_part=2)
    rows = parquet.read_table(table).to_pylist()[::-1]
    rows.insert(5, rows[9])
    parquet.write_table(pa.Table.from_pylist(rows), table)
    answer(out, model, table, photos_per_part=2)
    rows[3]["focal_px"] = 99.0
    parquet.write_table(pa.Table.from_pylist(rows), table)
    encoded.clear()
    answer(out, model, table, photos_per_part=2)
    assert len(encoded) <= 2
    answer(table.parent / "fresh", model, table, photos_per_part=2)
    assert bytes_of(out) == bytes_of(table.parent / "fresh")
