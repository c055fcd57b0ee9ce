"""Depth for tables of points on many photos, written in parts so that a killed run can resume.

`inputs` reads folders, globs and tables into rows, `grouping` collects the rows of each photo and
cuts them into parts and tasks, `tasks` answers a task, an engine (`engines`, `ray_engine`) runs
tasks in one or many processes, and `parts` and `manifest` store the results (`docs/batch.md`).
"""

from spd.batch.inputs import BatchInput
from spd.batch.run import BatchSettings, BatchSummary, run_batch

__all__ = ["BatchInput", "BatchSettings", "BatchSummary", "run_batch"]
