"""The measurement beside a busy process."""

import json

from research import busy


def test_ratios_are_summarised_and_written(tmp_path, monkeypatch, capsys):
    runs = iter([1.0, 3.0, 2.0])

    class Done:
        def __init__(self, ratio):
            rows = {name: {"ratio": ratio} for name in busy.LIMITS}
            self.stdout = f"note\n{json.dumps(rows)}\n".encode()

    monkeypatch.setattr(busy.subprocess, "run", lambda *_, **__: Done(next(runs)))
    monkeypatch.setattr(busy, "wait_passively", lambda: None)
    monkeypatch.setattr(busy, "use_usable_cpus", lambda: None)
    assert busy.main(["--runs", "3", "-o", str(tmp_path / "busy.json")]) == 0
    summary = json.loads((tmp_path / "busy.json").read_text())["summary"]
    assert summary["encode"] == {"median": 2.0, "limit": 2.5, "kept": 2}
    assert "encode: 1.00, 3.00, 2.00; median 2.00, at most 2.5 in 2" in capsys.readouterr().out


def test_points_are_compared_with_their_share():
    class Scene:
        def depth_at(self, points):
            return points

    found = busy.points_after_encode(Scene)
    assert found["ratio"] == found["few_s"] / found["share_s"]
