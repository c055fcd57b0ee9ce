"""Pictures that people look at, as PNG files; import this only where one is drawn.

Depth is drawn in magma_r without its ends: perceptually uniform, near is bright and warm, far is
dark. Relative error is drawn in viridis: uniform too, and not to be mistaken for depth. Grey is in
neither map and means "no reading".
"""

from spd.figures.curves import training_curve
from spd.figures.overlay import point_overlay
from spd.figures.sheets import SheetRow, contact_sheet, evaluation_sheet
from spd.figures.views import view_sheet

__all__ = [
    "SheetRow",
    "contact_sheet",
    "evaluation_sheet",
    "point_overlay",
    "training_curve",
    "view_sheet",
]
