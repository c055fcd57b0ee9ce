"""Damaged photos of every format: a depth, or one clear error, and nothing else."""

import random

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.hostile import SOAK, mutated
from helpers.photo_files import HEIC, encoded, picture, with_exif
from spd.errors import SPDError
from spd.predictors.torch_predictor import Predictor

COUNT = 10_000 if SOAK else 300
PIXELS = picture(40, 56)


def originals() -> dict[str, bytes]:
    image = Image.fromarray(PIXELS)
    lens = {0x920A: 4.2, 0xA405: 26}
    files = {
        form: encoded(image, form)
        for form in ("AVIF", "BMP", "GIF", "JPEG2000", "PCX", "PPM", "QOI", "SGI", "TGA", "TIFF")
    }
    files |= {
        f"{form} with EXIF": with_exif(PIXELS, form, {0x0112: 6}, lens) for form in EXIF_FORMS
    }
    files["PNG of 16 bits"] = encoded(
        Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257), "PNG"
    )
    files["PNG with alpha"] = encoded(image.convert("RGBA"), "PNG")
    files["GIF of frames"] = encoded(image, "GIF", save_all=True, append_images=[image.rotate(90)])
    files["JPEG in steps"] = encoded(image, "JPEG", progressive=True)
    files["JPEG of CMYK"] = encoded(image.convert("CMYK"), "JPEG")
    files["TIFF packed"] = encoded(image, "TIFF", compression="tiff_lzw")
    try:
        import pillow_heif  # noqa: F401
    except ImportError:
        return files
    return files | {"HEIC": HEIC}


EXIF_FORMS = ("JPEG", "PNG", "WEBP", "TIFF")


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore")  # Pillow tells of damaged metadata; refusals are what counts
def test_a_damaged_photo_gives_a_depth_or_one_clear_error(small_model):
    predictor = Predictor(small_model, torch.device("cpu"), "small")
    files = list(originals().items())
    rng = random.Random(0)
    answered = 0
    refused: list[tuple[str, int, str]] = []
    for number in range(COUNT):
        name, data = files[number % len(files)]
        broken = mutated(data, rng)
        try:
            scene = predictor.encode(broken)
            depth_m = scene.depth_at([(-0.5, -0.5), (scene.size[1] - 1, scene.size[0] - 1)])
        except SPDError as error:
            refused.append((name, number, str(error)))
            continue
        except Exception as error:
            raise AssertionError(f"{name}, number {number}: {error!r}") from error
        assert np.isfinite(depth_m).all(), (name, number)
        answered += 1
    assert answered >= 0.3 * COUNT
    unclear = [entry for entry in refused if "\n" in entry[2] or not 10 < len(entry[2]) < 500]
    assert unclear == []
