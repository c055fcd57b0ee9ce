"""Under which protocol NYU's forms are scored, and that painted-over depth is never called raw."""

from helpers.frames import miniature_frames
from helpers.write_nyu import write_bts, write_labelled_mat
from spd.cli import run
from spd.data.sources import open_samples
from spd.evaluate import default_protocol


def test_filled_depth_is_not_scored_as_raw(tmp_path, capsys):
    path = write_labelled_mat(tmp_path / "nyu", miniature_frames())
    for name in ("bts", "dav2"):
        words = ["evaluate", "nowhere", "--data", f"{path},depth=filled", "--protocol", name]
        assert run([*words, "-o", str(tmp_path / "out")]) == 2
        err = capsys.readouterr().err
        assert f"protocol {name} scores raw depth, but {path} is read with depth=filled" in err
        assert err.count("\n") == 1


def test_whole_frames_of_nyu_are_scored_under_bts_unless_their_depth_is_filled(tmp_path):
    samples = open_samples([str(write_bts(tmp_path / "bts", miniature_frames()))])
    assert samples.sources[0].is_nyu
    assert samples[0].depth_size == (480, 640)
    assert default_protocol(samples) == "bts"
    path = write_labelled_mat(tmp_path / "nyu", miniature_frames())
    assert default_protocol(open_samples([str(path)])) == "bts"
    assert default_protocol(open_samples([f"{path},depth=filled"])) == "native"
