"""`spd train` started by torchrun prints an error once, from the main process."""

import subprocess
import sys

import pytest

from spd.cli import launched, run

LAUNCH = [
    *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"),
    *("--master-addr=127.0.0.1", "--master-port=0", "--rdzv-backend=c10d"),
    *("--rdzv-endpoint=127.0.0.1:0", "-m", "spd", "train", "--device", "cpu"),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--data", "nowhere"], "no file or folder nowhere"),  # in both, before they connect
        (["--data", "{}:train", "--val", "{}:train"], "3 training frame(s) are also test"),  # main
        (["--data", "{}:train", "--set", "train.batch_size=3"], "train.batch_size 3 is not"),
        (["--data", "{}:train", "--frobnicate"], "No such option: --frobnicate"),
    ],
)
def test_two_processes_print_one_error(words, expected, rgbd_folder, tmp_path):
    words = [word.format(rgbd_folder) for word in words]
    command = [*LAUNCH, "--recipe", "rooms_tiny", "--out", str(tmp_path / "run"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode != 0
    own = [line for line in done.stderr.splitlines() if line.startswith("spd: ")]
    assert len(own) == 1, done.stderr
    assert expected in own[0]
    assert not (tmp_path / "run" / "run.json").exists()


@pytest.fixture
def other_process(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    waited: list[float] = []
    monkeypatch.setattr(launched.time, "sleep", waited.append)
    return waited


def test_an_error_of_another_process_alone_is_printed_late(other_process, capsys, tmp_path):
    assert run(["train", "--data", str(tmp_path / "nowhere")]) == 2
    assert "no file or folder" in capsys.readouterr().err
    assert other_process == [launched.WAIT_S]


def test_an_ended_process_prints_nothing(other_process, monkeypatch, capsys):
    def ended(seconds: float) -> None:
        raise KeyboardInterrupt  # torchrun's SIGTERM

    monkeypatch.setattr(launched.time, "sleep", ended)
    assert run(["train", "--data", "nowhere"]) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("world", "rank", "words"),
    [("2", "0", ["train"]), ("1", "1", ["train"]), ("2", "1", ["query"]), ("", "", ["train"])],
)
def test_every_other_command_and_the_main_process_print_at_once(
    monkeypatch, capsys, world, rank, words
):
    monkeypatch.setenv("WORLD_SIZE", world)
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setattr(launched.time, "sleep", lambda seconds: pytest.fail("waits"))
    assert not launched.is_another_process(words)
    with launched.errors_of_main_first(words):
        pass
