"""Figures as PNG files; importing this loads matplotlib.

Depth is drawn in magma_r without its ends: perceptually uniform, near is bright and warm, far is
dark. Relative error is drawn in viridis, also uniform but distinct from depth. Grey is in neither
map and means "no depth".
"""

from spd.figures.contact_sheets import contact_sheet, view_sheet
from spd.figures.evaluation_sheet import SheetRow, evaluation_sheet
from spd.figures.overlay import point_overlay
from spd.figures.training_curve import training_curve

__all__ = [
    "SheetRow",
    "contact_sheet",
    "evaluation_sheet",
    "point_overlay",
    "training_curve",
    "view_sheet",
]
