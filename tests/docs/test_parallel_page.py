"""Every snippet of the page about threads and processes runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

_PAGE = (Path(__file__).parents[2] / "docs/parallel.md").read_text()
_SNIPPETS = dict(re.findall(r"## ([A-Za-z ]+)\n(?:(?!\n## ).)*?```python\n(.*?)```", _PAGE, re.S))


def test_all_sections_have_a_snippet():
    expected = {"The number of threads", "Threads", "asyncio", "Processes", "DataLoader"}
    assert set(_SNIPPETS) == expected


@pytest.mark.slow
@pytest.mark.parametrize("section", _SNIPPETS)
def test_a_snippet_runs(tmp_path, section):
    script = tmp_path / "snippet.py"
    script.write_text(_SNIPPETS[section])
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=120, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
