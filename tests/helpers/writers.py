"""Every format of data, with the function that writes miniature frames in it."""

from helpers.write_general import write_image_folders, write_parquet, write_table
from helpers.write_nyu import write_bts, write_h5, write_h5_tars, write_labelled_mat

WRITERS = {
    "nyu-labelled-mat": write_labelled_mat,
    "bts": write_bts,
    "nyu-h5": write_h5,
    "tars": write_h5_tars,
    "parquet": write_parquet,
    "image-depth-folders": write_image_folders,
    "table": write_table,
}
WITHOUT_CAMERA = ("parquet", "image-depth-folders")
"""Formats whose files do not state the camera."""
