"""Batches: every row is answered once, wrong rows keep an error, a stopped batch resumes."""

import json
import math
import os
import re

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

import spd
from helpers.batches import (
    FOCAL_PX,
    answer,
    bytes_of,
    model,
    parts_of,
    read,
    table,
    write_photos,
    write_table,
)
from spd.batch import parts as parts_module
from spd.batch import run as run_module
from spd.batch import writer as writer_module
from spd.errors import BatchError, ConfigError, DataError, MissingExtraError
from spd.predictors.torch_predictor import Predictor

COLUMNS = ["input_row", "image", "u", "v", "depth_m", "range_m", "error", "focal_px", "label"]


def test_a_thousand_rows_are_answered_once_each_as_a_scene_answers_them(
    tmp_path, model, monkeypatch
):
    photos = write_photos(tmp_path, 40)
    asked = write_table(tmp_path / "table.parquet", photos, 1000).to_pylist()
    encoded = []
    encode = Predictor.encode
    monkeypatch.setattr(
        Predictor,
        "encode",
        lambda self, image, **k: encoded.append(image) or encode(self, image, **k),
    )
    summary = answer(tmp_path / "out", model, tmp_path / "table.parquet", photos_per_part=16)
    assert encoded == [str(tmp_path / name) for name in photos]
    assert (summary.rows, summary.photos, summary.parts, summary.failed) == (1000, 40, 3, 0)
    rows = read(tmp_path / "out")
    assert list(rows[0]) == COLUMNS
    # Photo by photo in the order of first appearance, and within a photo as in the table.
    assert [row["input_row"] for row in rows] == [n for p in range(40) for n in range(p, 1000, 40)]
    for row in rows:
        before = asked[row["input_row"]]
        assert {name: row[name] for name in before} == before
    monkeypatch.undo()
    predictor = spd.load(model, device="cpu")
    for number in (0, 17, 39):
        scene = predictor.encode(tmp_path / photos[number], focal_px=FOCAL_PX)
        own = [row for row in rows if row["image"] == photos[number]]
        points = [(row["u"], row["v"]) for row in own]
        depth_m, range_m = ([row[name] for row in own] for name in ("depth_m", "range_m"))
        np.testing.assert_allclose(depth_m, scene.depth_at(points), rtol=1e-6)
        np.testing.assert_allclose(range_m, scene.range_at(points), rtol=1e-6)


def test_wrong_rows_get_an_error_and_the_others_are_answered(tmp_path, model):
    good, cut, *_ = write_photos(tmp_path, 2)
    (tmp_path / cut).write_bytes((tmp_path / cut).read_bytes()[:700])
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("no photo")
    hostile = [
        ("gone.png", "1", "2", "33", "no image file .*gone.png"),
        (cut, "1", "2", "33", "damaged or truncated"),
        ("folder.png", "1", "2", "33", "no image file .*folder.png"),
        ("empty.png", "1", "2", "33", "empty.png is empty"),
        ("text.png", "1", "2", "33", "not a readable image"),
        (good, "39.6", "2", "33", r"the point is \(39.6, 2\), outside the image of 40 columns"),
        (good, "nan", "2", "33", r"the point is \(nan, 2\), outside"),
        (good, "1", "-inf", "33", r"the point is \(1, -inf\), outside"),
        (good, "", "2", "33", r"the point is \(nan, 2\)"),
        (good, "left", "2", "33", "u is 'left', expected a number"),
        (good, "1", "2", "-5", "focal"),
        (good, "1", "2", "wide", "focal_px is 'wide', expected a number"),
        ("", "1", "2", "33", "the image cell is empty"),
    ]
    lines = [f"{image},{u},{v},{focal}" for image, u, v, focal, _ in hostile]
    lines.insert(4, f"{good},1,2,33")
    (tmp_path / "table.csv").write_text("image,u,v,focal_px\n" + "\n".join(lines) + "\n")
    summary = answer(tmp_path / "out", model, tmp_path / "table.csv")
    rows = sorted(read(tmp_path / "out"), key=lambda row: row["input_row"])
    assert [row["input_row"] for row in rows] == list(range(14))
    fine = rows.pop(4)
    scene = spd.load(model, device="cpu").encode(tmp_path / good, focal_px=33)
    assert fine["error"] is None
    assert fine["depth_m"] == pytest.approx(scene.depth_at([(1, 2)])[0], rel=1e-6)
    for row, (image, *_, pattern) in zip(rows, hostile, strict=True):
        assert row["image"] == image
        assert math.isnan(row["depth_m"])
        assert math.isnan(row["range_m"])
        with pytest.raises(ValueError, match=pattern):
            raise ValueError(row["error"])
        assert "\n" not in row["error"]
    assert (summary.rows, summary.failed) == (14, 13)


def test_an_unexpected_error_of_a_photo_becomes_an_error_of_its_rows(table, model, monkeypatch):
    encode = Predictor.encode

    def fails(self, image, **given):
        if image.endswith("0002.png"):
            raise ZeroDivisionError("by\nnothing")
        return encode(self, image, **given)

    monkeypatch.setattr(Predictor, "encode", fails)
    summary = answer(table.parent / "out", model, table)
    assert summary.errors == {"ZeroDivisionError: by nothing": 5}
    for row in read(table.parent / "out"):
        assert (row["error"] is not None) == row["image"].endswith("0002.png")
        assert math.isfinite(row["depth_m"]) == (row["error"] is None)


def test_the_same_photo_at_two_focal_lengths_is_two_photos(tmp_path, model):
    (photo,) = write_photos(tmp_path, 1)
    focals = [33.0, 50.0, None, 33.0, None]
    write_table(tmp_path / "t.parquet", [photo], 5, focal_px=focals, u=[5] * 5, v=[6] * 5)
    summary = answer(tmp_path / "out", model, tmp_path / "t.parquet")
    assert summary.photos == 3
    assert "focal length unknown" in summary.warnings[0]
    rows = read(tmp_path / "out")
    assert [row["input_row"] for row in rows] == [0, 3, 1, 2, 4]
    assert rows[0]["depth_m"] == rows[1]["depth_m"] != rows[2]["depth_m"]
    # The ray of (5, 6): the middle is (19.5, 14.5), so x = -14.5 / 50 and y = -8.5 / 50.
    ratio = math.sqrt(1 + (14.5**2 + 8.5**2) / 50**2)
    assert rows[2]["range_m"] / rows[2]["depth_m"] == pytest.approx(ratio, rel=1e-6)
    assert all(math.isnan(row["range_m"]) for row in rows[3:])
    assert all(math.isfinite(row["depth_m"]) for row in rows[3:])


def test_a_stopped_batch_resumes_and_ends_with_the_same_bytes(table, model, monkeypatch):
    whole, out = table.parent / "whole", table.parent / "out"
    answer(whole, model, table, photos_per_part=1)
    assert len(parts_of(whole)) == 5
    content = parts_module.part_bytes

    def stops(folder, part, *rest):
        if part == 3:
            raise KeyboardInterrupt
        return content(folder, part, *rest)

    monkeypatch.setattr(writer_module, "part_bytes", stops)
    with pytest.raises(KeyboardInterrupt):
        answer(out, model, table, photos_per_part=1)
    assert len(parts_of(out)) == 3
    parts_of(out)[1].unlink()
    monkeypatch.undo()
    summary = answer(out, model, table, photos_per_part=1)
    assert summary.rows_before == 5 + 5  # photos 0 and 2; of 24 rows photo 4 has four
    assert bytes_of(out) == bytes_of(whole)
    opened = []
    monkeypatch.setattr("spd.predictors.model_options.ModelLocation.load", opened.append)
    assert answer(out, model, table, photos_per_part=1).rows_before == 24
    assert opened == []
    assert not list(out.glob(".writing-*"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("photos_per_part", "photos_per_part was 256 and is now 2"),
        ("points", "the points changed"),
        ("weights", "the model's weights changed"),
    ],
)
def test_a_changed_option_input_or_model_is_refused_in_one_line(table, model, change, words):
    out = table.parent / "out"
    answer(out, model, table)
    before = bytes_of(out)
    changed = {}
    if change == "points":
        changed = {"given": {"points": ((1, 2),)}}
        columns = parquet.read_table(table).drop(["u", "v"])
        parquet.write_table(columns, table)
    elif change == "weights":
        weights = model / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    else:
        changed = {"photos_per_part": 2}
    with pytest.raises(
        BatchError, match=f"^{out} contains a batch with different settings: {words}; "
    ) as caught:
        answer(out, model, table, **changed)
    assert "\n" not in str(caught.value)
    assert bytes_of(out) == before


def test_a_damaged_part_and_a_damaged_manifest_are_named(table, model):
    out = table.parent / "out"
    answer(out, model, table)
    whole = bytes_of(out)
    (path,) = parts_of(out)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BatchError, match=r"part-000000.parquet is damaged; delete it"):
        answer(out, model, table)
    path.unlink()
    answer(out, model, table)
    assert bytes_of(out) == whole
    (out / "batch.json").write_text("{")
    with pytest.raises(BatchError, match=r"batch.json is damaged"):
        answer(out, model, table)


@pytest.mark.parametrize("form", ["npy", "png16"])
def test_maps_are_those_of_the_scene_and_null_without_one(table, model, form):
    from spd.outputs.maps import read_png_depth

    out = table.parent / "out"
    (table.parent / "photos" / "0001.png").unlink()
    answer(out, model, table, maps=form, photos_per_part=2)
    rows = read(out)
    assert list(rows[0])[6:8] == ["error", "map_path"]
    ending = {"npy": "npy", "png16": "png"}[form]
    for row in rows:
        number = int(row["image"][7:11])
        name = None if number == 1 else rf"maps/{number:04d}-[0-9a-f]{{12}}\.{ending}"
        assert re.fullmatch(name or "None", str(row["map_path"]))
    scene = spd.load(model, device="cpu").encode(
        table.parent / "photos" / "0003.png", focal_px=FOCAL_PX
    )
    (path,) = (out / "maps").glob(f"0003-*.{ending}")
    depth_m = np.load(path) if form == "npy" else read_png_depth(path)
    # Millimetres are rounded to the nearest, and float32 has its own last bit.
    atol = 0 if form == "npy" else 0.000501
    np.testing.assert_allclose(depth_m, scene.depth_map(fast=True), rtol=1e-6, atol=atol)
    with pytest.raises(BatchError, match=f"maps was {form} and is now None"):
        answer(out, model, table, photos_per_part=2)


def test_a_batch_with_maps_resumes_in_the_folder_that_it_searches(table, model):
    photos = table.parent / "photos"
    options = {"given": {"points": ((3, 4),)}, "maps": "png16", "photos_per_part": 2}
    first = answer(photos / "out", model, photos, **options)
    assert (first.rows, first.failed) == (5, 0)
    whole = bytes_of(photos / "out")
    parts_of(photos / "out")[1].unlink()
    again = answer(photos / "out", model, photos, **options)
    assert (again.rows, again.rows_before) == (5, 3)
    assert bytes_of(photos / "out") == whole
    # Not "no photos", though all would be left out: the error is the folder without a batch.
    with pytest.raises(BatchError, match="photos exists and is not empty"):
        answer(photos, model, photos, **options)


ODD = os.fsdecode(b"caf\xe9")


def test_a_name_that_is_not_utf8_is_answered_and_written_with_an_escape(tmp_path, model):
    photos = tmp_path / ODD / "photos"
    good, cut, other = write_photos(photos, 3)
    (photos / good).rename(photos / f"{ODD}.png")
    (photos / cut).write_bytes((photos / cut).read_bytes()[:700])
    (photos / cut).rename(photos / f"{ODD}-cut.png")
    summary = answer(tmp_path / "out", model, photos, given={"points": ((3, 4),)}, maps="npy")
    assert (summary.rows, summary.failed) == (3, 1)
    named = {row["image"].split("/")[-1]: row for row in read(tmp_path / "out")}
    assert list(named) == [other, "caf\\udce9-cut.png", "caf\\udce9.png"]
    damaged, fine = named["caf\\udce9-cut.png"], named["caf\\udce9.png"]
    assert "caf\\udce9-cut.png is damaged or truncated" in damaged["error"]
    assert damaged["map_path"] is None
    scene = spd.load(model, device="cpu").encode(photos / f"{ODD}.png", fov_deg=60)
    assert fine["error"] is None
    assert np.isfinite(fine["depth_m"])
    assert np.load(tmp_path / "out" / fine["map_path"]).shape == scene.size


@pytest.mark.parametrize("form", ["npy", "png16"])
def test_a_map_s_name_fits_a_file_system_whatever_the_photo_s(tmp_path, model, form):
    (photo,) = write_photos(tmp_path, 1)
    # 83 characters are 249 bytes, and with the ending 253: the photo's name fits, its map's
    # would not with the digest after it. Emoji are four bytes each, so 200 cuts none.
    stems = ("\u6df1" * 83, "x" + "\U0001f4f7" * 62, "a" * 251)
    for stem in stems:
        (tmp_path / f"{stem}.png").write_bytes((tmp_path / photo).read_bytes())
    write_table(tmp_path / "t.parquet", [f"{stem}.png" for stem in stems], 3)
    summary = answer(tmp_path / "out", model, tmp_path / "t.parquet", maps=form)
    assert summary.failed == 0
    names = [row["map_path"].split("/")[1] for row in read(tmp_path / "out")]
    ending = {"npy": ".npy", "png16": ".png"}[form]
    kept = ("\u6df1" * 66, "x" + "\U0001f4f7" * 49, "a" * 200)
    assert [name[: -len("-0123456789ab") - len(ending)] for name in names] == list(kept)
    assert all(name.endswith(ending) for name in names)


def test_a_folder_with_other_files_and_one_in_use_are_refused(table, model):
    with pytest.raises(BatchError, match="photos exists and is not empty"):
        answer(table.parent / "photos", model, table)
    out = table.parent / "out"
    with run_module._locked(out), pytest.raises(BatchError, match="another batch is writing to"):
        answer(out, model, table)
    assert answer(out, model, table).rows == 24


def test_the_manifest_describes_the_parts(table, model):
    out = table.parent / "out"
    answer(out, model, table, photos_per_part=3)
    said = json.loads((out / "batch.json").read_text())
    assert (said["schema"], said["rows"], said["photos"], said["parts"]) == (2, 24, 5, 2)
    schema = parquet.read_schema(parts_of(out)[1])
    assert said["columns"] == {field.name: str(field.type) for field in schema}
    assert schema.field("depth_m").type == "float"
    assert schema.metadata is None


def test_invalid_settings_are_refused(table, model, monkeypatch):
    out = table.parent / "out"
    with pytest.raises(ConfigError, match="workers must be at least 1, got 0"):
        answer(out, model, table, workers=0)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'pip install "spd\[ray\]"'):
        answer(out, model, table, engine="ray")
    with pytest.raises(ConfigError, match=r"caf\\udce9 is not valid UTF-8"):
        answer(table.parent / ODD, model, table)
    with pytest.raises(DataError, match="is not a writable folder"):
        answer(table, model, table)
    assert not out.exists()
