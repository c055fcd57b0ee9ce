"""Rows grouped by photo into parts and tasks: each row once, cut by the rows alone."""

import numpy as np
import pytest

from spd.batch import grouping
from spd.batch.columns import text_column
from spd.batch.grouping import plan_rows
from spd.batch.inputs import Rows


def rows_of(names: str, focal_px=None) -> Rows:
    count = len(names)
    points = np.arange(2.0 * count).reshape(-1, 2)
    focal_px = np.full(count, np.nan) if focal_px is None else np.array(focal_px)
    columns = {"input_row": np.arange(count), "image": text_column(list(names))}
    return Rows(np.array(list(names), dtype=object), points, focal_px, {}, columns)


def test_rows_are_grouped_by_photo_in_the_order_of_first_appearance():
    plan = plan_rows(rows_of("bacabb"), 2)
    assert plan.order.tolist() == [0, 4, 5, 1, 3, 2]
    assert plan.photos == 3
    assert [plan.rows_of(part).tolist() for part in range(plan.parts)] == [[0, 4, 5, 1, 3], [2]]
    task = plan.photo_points.task(0)
    assert (task.paths, task.counts, task.focal_px) == (["b", "a"], [3, 2], [None] * 2)
    assert task.points.tolist() == [[0, 1], [8, 9], [10, 11], [2, 3], [6, 7]]


def test_one_photo_at_two_focal_lengths_is_two_photos():
    plan = plan_rows(rows_of("aaaa", [5.0, np.nan, 5.0, np.nan]), 9)
    assert plan.order.tolist() == [0, 2, 1, 3]
    assert plan.photo_points.task(0).focal_px == [5.0, None]


@pytest.mark.parametrize("photos_per_part", [1, 3, 7, 100])
def test_every_row_is_in_one_part_and_one_task(photos_per_part, monkeypatch):
    monkeypatch.setattr(grouping, "ROWS_PER_PART", 40)
    monkeypatch.setattr(grouping, "PHOTOS_PER_TASK", 4)
    letters = "abcdefghijklmnopqrstuvwxyz"
    drawn = np.random.default_rng(photos_per_part).integers(0, 26, 500)
    plan = plan_rows(rows_of("".join(letters[n] for n in drawn)), photos_per_part)
    rows = [plan.rows_of(part).tolist() for part in range(plan.parts)]
    assert sorted(row for own in rows for row in own) == list(range(500))
    tasks = [task for part in range(plan.parts) for task in plan.tasks_of(part)]
    assert tasks == list(range(len(plan.photo_points.tasks)))
    for part, own in enumerate(rows):
        part_tasks = [plan.photo_points.task(task) for task in plan.tasks_of(part)]
        queried = np.concatenate([task.points for task in part_tasks])
        assert queried[:, 0].tolist() == [2.0 * row for row in own]
        photos = {letters[drawn[row]] for row in own}
        assert len(photos) <= photos_per_part
        # It was closed before the photo that would have come after 40 rows.
        assert len(own) - int(np.sum(drawn == drawn[own[-1]])) < 40
