"""EXIF that describes another picture than the file's: a warning, or no focal length."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps, PngImagePlugin, TiffImagePlugin

from helpers.photo_files import EXIF, FOCAL_35_MM, ORIENTATION, encoded, picture, with_exif
from spd.photos.reading import Photo, read_photo
from spd.predictors.torch_predictor import Predictor

WIDTH, HEIGHT, ZOOM, FOCAL_MM, RENDERED, LENS = 0xA002, 0xA003, 0xA404, 0x920A, 0xA401, 0xA434
FILE_WIDTH, FILE_HEIGHT, MAKE = 0x0100, 0x0101, 0x010F
WHOLE_PX = 26 / np.hypot(36, 24) * np.hypot(96, 128)  # of the 128x96 photo
GPANO = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description '
    b'GPano:ProjectionType="equirectangular"/></x:xmpmeta>'
)


def phone(size=(96, 128), *, recorded=(128, 96), form="JPEG", tags=None, options=None, **exif):
    """A photo whose EXIF records a 128x96 photo of a 26 mm lens."""
    named = {"f35": FOCAL_35_MM, "zoom": ZOOM, "mm": FOCAL_MM, "rendered": RENDERED, "lens": LENS}
    values = {FOCAL_35_MM: 26} | {named[key]: value for key, value in exif.items()}
    if recorded is not None:
        values |= {WIDTH: recorded[0], HEIGHT: recorded[1]}
    return read_photo(with_exif(picture(*size), form, tags or {}, values, **(options or {})))


def xmp_text(attributes: bytes) -> PngImagePlugin.PngInfo:
    """An XMP packet with these attributes, for a PNG."""
    chunks = PngImagePlugin.PngInfo()
    text = GPANO.replace(b'GPano:ProjectionType="equirectangular"', attributes).decode()
    chunks.add_itxt("XML:com.adobe.xmp", text)
    return chunks


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("size", [(96, 48), (96, 96), (40, 128), (72, 128)])
def test_a_crop_that_keeps_one_side_has_the_whole_photos_focal_length(size, form):
    photo = phone(size, form=form)
    assert photo.exif_focal_px == pytest.approx(WHOLE_PX)
    (doubt,) = photo.focal_warnings
    assert f"records a photo of 128x96 pixels, but this one has {size[1]}x{size[0]}" in doubt
    assert f"{WHOLE_PX:.1f} px" in doubt
    assert photo.warnings == ()


def test_a_crop_with_the_sensors_resolution_has_the_whole_photos_focal_length():
    tags = {FOCAL_MM: 18.0, 0xA20E: 1793.0, 0xA210: 3, WIDTH: 4000, HEIGHT: 3000}
    photo = read_photo(with_exif(picture(1000, 4000), "JPEG", {}, tags))
    assert photo.exif_focal_px == pytest.approx(18 * 179.3, rel=1e-3)
    assert "but this one has 4000x1000" in photo.focal_warnings[0]


@pytest.mark.parametrize(
    ("size", "recorded"),
    [
        ((80, 80), (128, 96)),  # cropped and resized, or stretched
        ((64, 100), (128, 96)),  # a free crop
        ((96, 200), (128, 96)),  # stitched or padded
        ((120, 160), (160, 90)),  # a thumbnail with black bars
        ((96, 128), (4000, 2250)),  # EXIF copied from another file
    ],
)
def test_a_shape_of_several_explanations_leaves_the_focal_length_unknown(size, recorded):
    photo = phone(size, recorded=recorded)
    assert photo.exif_focal_px is None
    (doubt,) = photo.focal_warnings
    assert doubt == (
        f"EXIF records a photo of {recorded[0]}x{recorded[1]} pixels, but this one has "
        f"{size[1]}x{size[0]}, so it was cropped, stretched or stitched; EXIF's focal length is "
        "not used"
    )


def test_the_older_size_tags_contradict_too():
    photo = phone((96, 96), recorded=(96, 96), tags={FILE_WIDTH: 128, FILE_HEIGHT: 96})
    assert photo.exif_focal_px == pytest.approx(WHOLE_PX)
    assert "records a photo of 128x96 pixels, but this one has 96x96" in photo.focal_warnings[0]


@pytest.mark.parametrize(
    "photo",
    [
        {},
        {"size": (48, 64)},  # resized
        {"size": (49, 65)},  # and rounded
        {"size": (97, 128)},  # whole blocks of a codec
        {"size": (128, 96)},  # turned, with the size of before
        {"tags": {ORIENTATION: 6}},
        {"tags": {ORIENTATION: 3}},
        {"size": (1200, 1600), "recorded": (4032, 3024)},
        {"size": (72, 128), "recorded": (4000, 2250)},  # 16:9
        {"size": (60, 140), "recorded": (3840, 1644)},  # 21:9
        {"recorded": None},
        {"recorded": (0, 0)},  # of some camera apps
        {"recorded": (1, 1)},
        {"zoom": 1.0},
        {"zoom": 65536 / 65535},
        {"zoom": 0.0},
        {"mm": 4.2},  # a phone
        {"mm": 1.54, "f35": 13},  # its ultra-wide lens
        {"mm": 27.2, "f35": 240},  # its telephoto lens
        {"mm": 50.0, "f35": 75},
        {"mm": 80.0, "f35": 63},  # medium format
        {"f35": 9},  # the widest lens of a phone
        {"mm": 539.0, "f35": 3000},  # of a superzoom
        {"zoom": TiffImagePlugin.IFDRational(0, 0), "mm": 4.2},
        {"form": "PNG", "options": {"pnginfo": xmp_text(b'crs:HasCrop="False"')}},
        {"rendered": 1},
        {"rendered": 8},  # a portrait of an iPhone
        {"zoom": 1.95, "mm": 3.99, "f35": 55, "tags": {MAKE: "Apple"}},
        {"size": (480, 640), "recorded": (640, 480), "lens": "Wide 24mm"},
    ],
)
def test_nothing_is_said_about_ordinary_photos(photo):
    found = phone(**photo)
    assert found.exif_focal_px is not None
    assert (found.warnings, found.focal_warnings) == ((), ())


@pytest.mark.parametrize(
    ("film_mm", "zoom", "expected_mm", "said"),
    [
        (26, 2.0, 52, "not to include it"),  # 13 mm would be another lens
        (24, 10.0, 240, "not to include it"),
        (55, 1.95, 55, "assumed to include it"),
        (28, 1.2, 28, "assumed to include it"),
    ],
)
def test_digital_zoom_is_told_with_the_focal_length_used(film_mm, zoom, expected_mm, said):
    photo = phone(f35=film_mm, zoom=zoom)
    assert photo.exif_focal_px == pytest.approx(expected_mm / 26 * WHOLE_PX)
    (doubt,) = photo.focal_warnings
    assert f"digital zoom of {zoom:g}" in doubt
    assert said in doubt
    assert f"{photo.exif_focal_px:.1f} px is used" in doubt


@pytest.mark.parametrize(
    ("film_mm", "lens_mm"), [(177, 3.99), (311, 3.99), (26, 4200.0), (1, 50.0)]
)
def test_focal_lengths_that_no_sensor_reconciles_are_not_used(film_mm, lens_mm):
    photo = phone(f35=film_mm, mm=lens_mm)
    assert photo.exif_focal_px is None
    assert f"focal length of {lens_mm:g} mm and its 35 mm equivalent" in photo.focal_warnings[0]


@pytest.mark.parametrize(
    ("film_mm", "said"),
    [
        (1, "fisheye"),
        (4, "fisheye lens, or the focal length in millimetres"),  # a phone's own
        (7, "fisheye"),  # a camera of the whole sphere
        (26_000, "longer than any lens"),  # in micrometres
        (65_535, "longer than any lens"),
    ],
)
def test_a_35_mm_equivalent_of_no_lens_is_not_used(film_mm, said):
    photo = phone(f35=film_mm)
    assert photo.exif_focal_px is None
    (doubt,) = photo.focal_warnings
    assert f"35 mm equivalent of {film_mm:g} mm" in doubt
    assert said in doubt


@pytest.mark.parametrize(
    ("width", "per_inch", "wide_mm"),
    [
        (5184, 5184000 / 905, None),  # as a 60D writes it
        (5616, 5616000 / 1459, None),  # a 5D Mark II
        (3456, 3456000 / 874, None),  # a 350D
        (6240, 6673.8, 23.7),  # a 6D Mark II writes a wrong one
        (2048, 5472000 / 1436, 13.7),  # resized by a program that updates the recorded size
        (1200, 5184000 / 905, 5.3),
    ],
)
def test_a_sensor_that_no_camera_of_the_series_has_is_not_used(width, per_inch, wide_mm):
    tags = {FOCAL_MM: 50.0, WIDTH: width, HEIGHT: width * 2 // 3, 0xA20E: per_inch, 0xA210: 2}
    photo = read_photo(with_exif(picture(80, 120), "JPEG", {0x0110: "Canon EOS"}, tags))
    assert (photo.exif_focal_px is None) == (wide_mm is not None)
    if wide_mm is None:
        assert photo.exif_focal_px == pytest.approx(50 / 25.4 * per_inch * 120 / width, rel=1e-4)
        assert photo.focal_warnings == ()
    else:
        assert f"a sensor {wide_mm:.1f} mm wide, which no EOS has" in photo.focal_warnings[0]


@pytest.mark.parametrize(
    "mark", [b'crs:HasCrop="True"', b"crs:HasCrop = 'true'", b"/><crs:HasCrop>True</crs:HasCrop"]
)
def test_a_crop_by_a_raw_converter_that_updated_the_recorded_size_is_told(mark):
    photo = phone(form="PNG", options={"pnginfo": xmp_text(mark)})
    assert photo.exif_focal_px is None
    (doubt,) = photo.focal_warnings
    assert "XMP records that the photo was cropped" in doubt


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_a_file_marked_as_a_panorama_has_no_focal_length(form):
    with_xmp = encoded(Image.fromarray(picture(64, 128)), form, **xmp_option(form))
    for photo in (read_photo(with_xmp), phone((64, 128), recorded=(128, 64), rendered=6)):
        assert photo.exif_focal_px is None
        assert "marked as a panorama" in photo.warnings[0]


def xmp_option(form: str) -> dict:
    if form == "PNG":
        from PIL.PngImagePlugin import PngInfo

        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", GPANO.decode())
        return {"pnginfo": info}
    if form == "TIFF":
        return {"tiffinfo": {700: GPANO}}
    return {"xmp": GPANO}


def test_a_very_oblong_photo_is_taken_as_a_panorama():
    photo = phone((60, 400), recorded=(400, 60))
    assert photo.exif_focal_px is None
    assert "400x60 pixels has the shape of a panorama" in photo.focal_warnings[0]


def test_a_fisheye_lens_is_told():
    photo = phone(lens="8mm F2.8 Fisheye")
    assert photo.exif_focal_px == pytest.approx(WHOLE_PX)
    assert "fisheye lens" in photo.warnings[0]


def test_a_given_focal_length_silences_doubts_about_exifs(small_model):
    predictor = Predictor(small_model, torch.device("cpu"), "small")
    crop = phone((96, 96))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert predictor.encode(crop, focal_px=100.0).focal_px == 100.0
    with pytest.warns(UserWarning, match="taken as a crop that was not resized"):
        assert predictor.encode(crop).focal_px == pytest.approx(WHOLE_PX)


UPRIGHT = picture(128, 96)
TURNS = {
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def stored(orientation: int, **recorded: int) -> Image.Image:
    """An image in memory as a camera stores it: 128x96, to be turned to 96x128."""
    back = {6: 8, 8: 6}.get(orientation, orientation)
    image = Image.fromarray(UPRIGHT).transpose(TURNS[back])
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif.get_ifd(EXIF).update({FOCAL_35_MM: 26, WIDTH: 128, HEIGHT: 96} | recorded)
    image.info["exif"] = exif.tobytes()
    return image


@pytest.mark.parametrize("orientation", TURNS)
def test_an_image_that_was_turned_and_kept_its_tag_is_not_turned_again(orientation):
    image = stored(orientation).transpose(TURNS[orientation])
    for one in (image, image.copy(), image.convert("RGBA")):
        photo = read_photo(one)
        assert np.array_equal(photo.pixels, UPRIGHT)
        assert "it is not turned again" in photo.warnings[0]
        assert photo.exif_focal_px == pytest.approx(WHOLE_PX)
        assert photo.focal_warnings == ()
    assert read_photo(image.resize((48, 64))).size == (64, 48)
    assert read_photo(image.crop((0, 10, 96, 110))).size == (100, 96)
    assert read_photo(stored(orientation).crop((0, 0, 50, 96))).size == (50, 96)
    assert read_photo(stored(orientation).crop((0, 0, 96, 90))).size == (96, 90)


@pytest.mark.parametrize("orientation", TURNS)
def test_images_that_were_not_turned_or_lost_their_tag_are_read_as_before(orientation):
    for image in (stored(orientation), ImageOps.exif_transpose(stored(orientation))):
        photo = read_photo(image)
        assert np.array_equal(photo.pixels, UPRIGHT)
        assert (photo.warnings, photo.focal_warnings) == ((), ())


def test_a_file_is_turned_by_its_tag_with_a_warning_if_it_was_turned_before():
    image = stored(6).transpose(TURNS[6])
    photo = read_photo(encoded(image, "PNG", exif=image.info["exif"]))
    assert photo.size == (96, 128)  # as every viewer shows it
    assert "if it is on its side now, remove the orientation tag" in photo.warnings[0]


def test_a_square_image_shows_nothing_and_is_turned():
    image = Image.fromarray(picture(64, 64))
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif.get_ifd(EXIF).update({WIDTH: 64, HEIGHT: 64})
    image.info["exif"] = exif.tobytes()
    photo: Photo = read_photo(image)
    assert np.array_equal(photo.pixels, np.rot90(picture(64, 64), -1))
    assert photo.warnings == ()
