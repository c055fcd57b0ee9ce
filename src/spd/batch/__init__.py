"""Many photos, many points: depth for tables of them, in parts that a killed run does not lose.

`inputs` reads folders, globs and tables into rows, `grouping` brings the rows of one photo together
and cuts them into parts, `asking` answers a few photos, an engine (`engines`, `ray_engine`) lets
one or many processes do so, and `parts` and `manifest` keep what is done (`docs/batch.md`).
"""

from spd.batch.asking import Computation
from spd.batch.inputs import Asked
from spd.batch.run import BatchSettings, Summary, run_batch

__all__ = ["Asked", "BatchSettings", "Computation", "Summary", "run_batch"]
