"""Threads follow the CPUs that a process may use, and sleep while they wait."""

import os
import subprocess
import sys

import numpy as np
import pytest
import typer.main

import spd
from helpers.paths import ROOT
from spd.cli import run
from spd.cli.commands import app
from spd.errors import ConfigError
from spd.memory import machine
from spd.processes import cpus, threads_to_use, usable_cpus, use_threads, wait_passively
from spd.processes.cpus import THREADS


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Eight CPUs, and files of control groups in place of the system's."""
    monkeypatch.setattr(machine, "PROC", tmp_path / "proc")
    monkeypatch.setattr(machine, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(cpus, "_allowed", lambda: 8)

    def write(cgroup: str, **files: str) -> None:
        (tmp_path / "proc/self").mkdir(parents=True, exist_ok=True)
        (tmp_path / "proc/self/cgroup").write_text(cgroup, errors="surrogateescape")
        for name, text in files.items():
            path = tmp_path / "cgroup" / name.replace("__", "/").replace("_DOT_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return write


@pytest.mark.parametrize(
    ("cgroup", "files", "expected"),
    [
        ("0::/\n", {}, 8),
        ("0::/\n", {"cpu_DOT_max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu_DOT_max": "max 100000\n"}, 8),
        ("0::/a/b\n", {"a__cpu_DOT_max": "350000 100000", "a__b__cpu_DOT_max": "max 100000"}, 3),
        ("0::/\n", {"cpu_DOT_max": "50000 100000"}, 1),
        ("0::/\n", {"cpu_DOT_max": "9900000 100000"}, 8),
        ("0::/\n", {"cpu_DOT_max": "damaged"}, 8),
        ("0::/\n", {"cpu_DOT_max": "100000 0"}, 8),
        ("0::/../outside\n", {"cpu_DOT_max": "100000 100000"}, 1),
        (
            "4:cpu,cpuacct:/x\n0::/\n",
            {
                "cpu__x__cpu_DOT_cfs_quota_us": "400000",
                "cpu__x__cpu_DOT_cfs_period_us": "100000",
            },
            4,
        ),
        (
            "4:cpuacct,cpu:/\n",
            {"cpu__cpu_DOT_cfs_quota_us": "-1", "cpu__cpu_DOT_cfs_period_us": "100000"},
            8,
        ),
        ("", {}, 8),
        ("no group\n0::/\n", {"cpu_DOT_max": "300000 100000"}, 3),
        ("0::/\udcff\n", {"cpu_DOT_max": "300000 100000"}, 3),
    ],
)
def test_quotas_of_all_groups_bound_the_cpus(groups, cgroup, files, expected):
    groups(cgroup, **files)
    assert usable_cpus() == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no affinity")
def test_affinity_bounds_the_cpus():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert usable_cpus() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_pools_are_not_as_large_as_the_machine():
    for path in (*ROOT.glob("src/spd/**/*.py"), *ROOT.glob("research/**/*.py")):
        if path.parent.name != "processes":
            assert "cpu_count" not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("3", 3),
        ("4,2", 4),
        ("", 8),
        ("0", 8),
        ("many", 8),
        (" 2 ", 2),
        ("-3", 8),
        ("2.5", 8),
        ("9" * 5000, 8),
        ("99999", 1024),
    ],
)
def test_the_users_number_comes_first(groups, monkeypatch, value, expected):
    groups("")
    monkeypatch.setenv(THREADS, value)
    assert threads_to_use() == expected
    assert threads_to_use(5) == 5


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", True, 1025, 10**400, [2], b"2"])
def test_impossible_numbers_are_refused(threads):
    with pytest.raises(ConfigError, match="threads must be a whole number from 1 to 1024, got"):
        spd.load(threads=threads)


def test_threads_of_a_command_reach_torch_and_child_processes(monkeypatch):
    import torch

    monkeypatch.setenv(THREADS, "1")
    before = torch.get_num_threads()
    try:
        use_threads(2)
        assert (os.environ[THREADS], torch.get_num_threads()) == ("2", 2)
        use_threads(None)
        assert os.environ[THREADS] == "2"
    finally:
        torch.set_num_threads(before)


def test_load_changes_the_threads_of_torch_only_if_it_is_asked_to():
    import torch

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        spd.load(runtime="torch")
        spd.load(threads=2)  # of ONNX Runtime
        assert torch.get_num_threads() == 3
        spd.load(runtime="torch", threads=np.int64(2))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


COUNTING_OR_DRAWING = {"cost", "report", "sheet", "views", "fetch", "extract"}


def test_every_command_that_computes_has_the_option():
    found = [typer.main.get_command(app)]
    without = set()
    while found:
        one = found.pop()
        found += getattr(one, "commands", {}).values()
        names = {parameter.name for parameter in one.params}
        if not hasattr(one, "commands") and not names & {"threads", "workers"}:
            without.add(one.name)
    assert without == COUNTING_OR_DRAWING


@pytest.mark.parametrize("words", [["export", "onnx"], ["pack"], ["score"], ["serve"], ["demo"]])
def test_an_impossible_number_of_threads_is_one_line(words, capsys):
    assert run([*words, "--threads", "0"]) == 2
    assert "--threads" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value"),
    [("OMP_WAIT_POLICY", "ACTIVE"), ("GOMP_SPINCOUNT", "9"), ("KMP_BLOCKTIME", "200")],
)
def test_how_the_user_lets_threads_wait_is_kept(monkeypatch, name, value):
    for other in cpus._WAITING:
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, value)
    before = dict(os.environ)
    wait_passively()
    assert dict(os.environ) == before


def test_the_command_line_lets_threads_sleep(monkeypatch):
    code = (
        "import sys, os; sys.argv = ['spd', '--version']\n"
        "from spd.processes import cpus\n"
        "from spd.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(*(os.environ[name] for name in cpus._WAITING[:3]), 'torch' in sys.modules)"
    )
    for name in cpus._WAITING:
        monkeypatch.delenv(name, raising=False)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "PASSIVE 1500 0 False"
