"""What is left of the memory, from files as Linux writes them."""

import subprocess
import sys

import pytest

from spd.memory import machine

NO_LIMIT = 9223372036854771712


@pytest.fixture
def system(tmp_path, monkeypatch):
    """Folders in place of /proc and /sys/fs/cgroup; a machine with 8 GB left and no swap."""
    (tmp_path / "proc" / "self").mkdir(parents=True)
    monkeypatch.setattr(machine, "PROC", tmp_path / "proc")
    monkeypatch.setattr(machine, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(machine, "_process_limits", lambda: iter(()))
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9 kB\nMemAvailable: 8000000 kB\n")
    return tmp_path


def write(folder, **files) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")


def test_the_machine_counts_where_no_group_limits(system):
    assert machine.left_bytes() == 8_000_000 * 1024
    (system / "proc/meminfo").write_text("MemAvailable: 5 kB\nSwapFree: 3 kB\n")
    assert machine.left_bytes() == 8 * 1024


@pytest.mark.parametrize("below", ["", "a/b"])
def test_groups_of_version_2_limit_at_every_level(system, below):
    (system / "proc/self/cgroup").write_text("0::/a/b\n")
    write(system / "cgroup" / below, memory__max=2_000_000, memory__current=1_500_000)
    write(system / "cgroup" / below, memory__stat="anon 7\ninactive_file 200000")
    assert machine.left_bytes() == 700_000
    write(system / "cgroup", memory__max=500_000, memory__current=400_000)
    write(system / "cgroup", memory__stat="")
    assert machine.left_bytes() == 100_000


def test_groups_of_version_1_limit(system):
    (system / "proc/self/cgroup").write_text("5:cpu:/\n4:memory:/c\n0::/\n")
    group = system / "cgroup/memory/c"
    write(group, memory__limit_in_bytes=3_000_000, memory__usage_in_bytes=1_000_000)
    assert machine.left_bytes() == 2_000_000
    write(group, memory__stat="total_inactive_file 500000")
    assert machine.left_bytes() == 2_500_000
    write(group, memory__limit_in_bytes=NO_LIMIT)
    assert machine.left_bytes() == 8_000_000 * 1024


def test_files_that_were_read_count_as_free_and_programs_do_not(system):
    (system / "proc/self/cgroup").write_text("4:memory:/c\n")
    group = system / "cgroup/memory/c"
    write(group, memory__limit_in_bytes=2_000_000, memory__usage_in_bytes=1_900_000)
    read = "total_inactive_file 300000\ntotal_active_file 1200000\n"  # read once, and twice
    write(group, memory__stat=read)
    assert machine.left_bytes() == 1_600_000
    write(group, memory__stat=read + "total_mapped_file 400000\n")
    assert machine.left_bytes() == 1_200_000
    write(group, memory__stat="total_mapped_file 400000\n")
    assert machine.left_bytes() == 100_000
    (system / "proc/self/cgroup").write_text("0::/\n")
    write(system / "cgroup", memory__max=2_000_000, memory__current=1_900_000)
    write(system / "cgroup", memory__stat="active_file 900000\nfile_mapped 100000\n")
    assert machine.left_bytes() == 900_000


def test_a_group_that_is_full_or_unreadable(system):
    (system / "proc/self/cgroup").write_text("0::/\n")
    write(system / "cgroup", memory__max="max", memory__current=1)
    assert machine.left_bytes() == 8_000_000 * 1024
    write(system / "cgroup", memory__max=10, memory__current=50)
    assert machine.left_bytes() == 0


def test_this_process_holds_memory():
    pytest.importorskip("resource")
    if not (machine.PROC / "self/status").exists():
        pytest.skip("no Linux")
    # In a new process: this one may use pages again that earlier tests have freed.
    code = (
        "from spd.memory import machine; before = machine.held_bytes(); "
        "block = bytearray(b'x') * 80_000_000; "
        "print(machine.held_bytes() - before, machine.data_bytes() - len(block))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    grown, rest = (int(word) for word in done.stdout.split())
    assert grown > 60_000_000
    assert rest > 0
