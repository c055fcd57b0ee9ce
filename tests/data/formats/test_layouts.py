"""Layouts and names of images and depth maps: each paired rightly, or refused with a CSV."""

import numpy as np
import pytest
from PIL import Image

from spd.data.check import check_source, format_check
from spd.data.formats import open_source
from spd.data.formats.pair_names import role_of
from spd.data.formats.timestamps import timestamp_us
from spd.data.sources import open_samples
from spd.errors import DataError

FRAMES = 12
SIZE = (6, 8)


def write(folder, name, value):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = np.uint8 if value < 256 else np.uint16
    shape = (*SIZE, 3) if kind is np.uint8 else SIZE
    Image.fromarray(np.full(shape, value, kind)).save(path)


def layout(folder, image, depth, frames=FRAMES):
    """Frame n has the grey value 10 n and the depth n + 1 metres under these patterns of names."""
    for n in range(frames):
        half = "train" if n < frames // 2 else "val"
        write(folder, image.format(n=n, half=half), 10 * n)
        write(folder, depth.format(n=n, half=half), 1000 * (n + 1))
    return folder


LAYOUTS = {
    "words before": ("rgb_{n}.png", "depth_{n}.png"),
    "words behind": ("{n}_colors.png", "{n}_depth.png"),
    "words with capitals": ("{n:04}_RGB.PNG", "{n:04}_Depth.PNG"),
    "words behind a full stop": ("seq/f-{n:06}.color.png", "seq/f-{n:06}.depth.png"),
    "a word in the middle": ("cam0_rgb_{n}.png", "cam0_depth_{n}.png"),
    "a word for the depth only": ("scene/{n}.png", "scene/{n}_depth.png"),
    "words in both": ("images/img_{n:04}.png", "depth/depth_{n:04}.png"),
    "zeros in one": ("image/{n}.png", "depth/{n:06}.png"),
    "frame before one": ("images/frame_{n:06}.png", "depths/{n}.png"),
    "capitals in one": ("RGB/IMG_{n}.png", "Depth/img_{n}.png"),
    "the left camera": ("left/{n}.png", "depth/{n}.png"),
    "ScanNet": ("s-{half}/color/{n}.png", "s-{half}/depth/{n}.png"),
    "splits above": ("{half}/images/{n}.png", "{half}/depth/{n}.png"),
    "splits in the names": ("{half}_rgb/{n}.png", "{half}_depth/{n}.png"),
    "several levels": ("a/b/{half}/rgb/{n}.png", "a/b/{half}/depth/{n}.png"),
    "images of depth": ("color_images/{n}.png", "depth_images/{n}.png"),
    "another depth folder": ("rgb/{n}.png", "depth_raw/{n}.png"),
    "dates": ("rgb/2024-01-02_{n:06}.png", "depth/2024-01-02_{n:06}.png"),
    "NYU's names": ("rgb/rgb_{n:05}.png", "depth/depth_{n:05}.png"),
    "NYU's names in one folder": ("kitchen/rgb_{n:05}.png", "kitchen/depth_{n:05}.png"),
    "times": ("rgb/13050311{n:02}.010000.png", "depth/13050311{n:02}.020000.png"),
    "milliseconds": ("rgb/17000000{n:02}010.png", "depth/17000000{n:02}020.png"),
    "nanoseconds": ("rgb/17000000{n:02}010000000.png", "depth/17000000{n:02}020000123.png"),
    "times behind words": ("rgb_13050311{n:02}.01.png", "depth_13050311{n:02}.02.png"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_image_gets_its_own_depth(name, tmp_path):
    folder = layout(tmp_path, *LAYOUTS[name])
    samples = open_samples([f"{folder},focal_px=8"])
    assert {int(s.image[0, 0, 0]): float(s.depth_m[0, 0]) for s in samples} == {
        10 * n: n + 1.0 for n in range(FRAMES)
    }
    assert len(set(samples.names)) == FRAMES


@pytest.mark.parametrize(
    ("name", "splits", "scenes"),
    [
        ("ScanNet", {None}, {"s-train", "s-val"}),
        ("splits above", {"train", "val"}, {None}),
        ("splits in the names", {"train", "val"}, {None}),
        ("words behind a full stop", {None}, {"seq"}),
    ],
)
def test_folders_give_the_split_and_the_scene(name, splits, scenes, tmp_path):
    frames = open_source(str(layout(tmp_path, *LAYOUTS[name]))).frames
    assert ({f.split for f in frames}, {f.scene for f in frames}) == (splits, scenes)


AMBIGUOUS = {
    "numbers that begin at 0 and 1": ("images/{n}.png", "depth/{n}1.png"),
    "names of different things": ("images/a_{n}.png", "depth/b_{n}.png"),
    "the other camera": ("images/left_{n}.png", "depth/right_{n}.png"),
    "aligned depth": ("color_{n}.png", "depth_to_color_{n}.png"),
    "numbers that pair only by order": ("images/{n}0.png", "depth/{n}5.png"),
    "two frames of one number": ("rgb/{n}_x.png", "depth/y_{n}.png"),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_names_that_do_not_pair_are_refused_with_a_csv(name, tmp_path):
    image, depth = AMBIGUOUS[name]
    folder = layout(tmp_path, image, depth, 3)
    with pytest.raises(DataError) as caught:
        open_source(str(folder))
    message = str(caught.value)
    assert "image(s) without depth" in message
    assert f'"{image.format(n=0)},{depth.format(n=0)}"' in message
    assert f"spd data check {folder}/pairs.csv,focal_px=PIXELS" in message
    assert "\n" not in message


UNKNOWN = {
    "own words": ("pics/{n}.png", "range/{n}.png"),
    "depth first in the alphabet": ("webcam/{n}.png", "kinect/{n}.png"),
    "words of another language": ("bild/{n}.jpg", "tiefe/{n}.png"),
    "one folder": ("{n}.jpg", "{n}.png"),
    "no common word": ("a/{n}.png", "z/x{n}.tif"),
    "two depth folders": ("rgb/{n}.jpg", "depth_a/{n}.png"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_names_are_answered_with_a_csv_that_works(name, tmp_path):
    image, depth = UNKNOWN[name]
    folder = layout(tmp_path, image, depth, 2)
    if name == "two depth folders":
        write(folder, "depth_b/0.png", 5000)
    with pytest.raises(DataError) as caught:
        open_source(str(folder))
    row = f"{image},{depth}".format(n=0)
    assert "is not in a known format" in str(caught.value)
    assert f'first line "image,depth" and one line for each pair, such as "{row}"' in str(
        caught.value
    )
    (folder / "pairs.csv").write_text(f"image,depth\n{row}\n")
    assert open_source(f"{folder}/pairs.csv,focal_px=8")[0].depth_m[0, 0] == 1.0
    with pytest.raises(DataError, match=r"none \(a CSV file names them in a column split\)"):
        open_source(f"{folder}/pairs.csv:train,focal_px=8")
    assert str(caught.value).endswith("for training, add a column split (train, val)")
    (folder / "pairs.csv").write_text(f"image,depth,split\n{row},train\n")
    assert len(open_source(f"{folder}/pairs.csv:train,focal_px=8")) == 1


def test_a_folder_of_photos_alone_is_told_what_is_missing(tmp_path):
    write(tmp_path, "a/0.png", 7)
    with pytest.raises(DataError, match=r'such as "a/0.png,DEPTH_MAP"'):
        open_source(str(tmp_path))


def test_missing_partners_are_named_without_those_that_have_one(tmp_path):
    folder = layout(tmp_path, "rgb_{n}.png", "depth_{n}.png", 3)
    (folder / "depth_1.png").unlink()
    with pytest.raises(DataError, match=r"has 1 image\(s\) without depth: rgb_1; both") as caught:
        open_source(str(folder))
    assert '"rgb_0.png,depth_0.png"' in str(caught.value)


def test_masks_and_views_of_depth_are_no_frames(tmp_path):
    folder = layout(tmp_path, "s/{n}.png", "s/{n}_depth.png")
    layout(tmp_path, "s/{n}_depth_vis.png", "s/{n}_depth_mask.png")
    assert len(open_source(str(folder))) == FRAMES


@pytest.mark.parametrize(
    ("name", "role", "rest"),
    [
        ("frame-01.depth", "depth", "frame-01"),
        ("left_rgb_1", "image", "left_1"),
        ("left_depth_1", "depth", "left_1"),
        ("depth1", "depth", "1"),
        ("0001", None, "0001"),
        ("depths-of-field_mask", "other", "depths-of-field"),
        ("grandeur", None, "grandeur"),  # letters within a word are no word
    ],
)
def test_a_word_tells_what_a_name_contains(name, role, rest):
    assert role_of(name) == (role, rest)


def test_times_of_other_units_are_times():
    assert timestamp_us("1403636579763555584") == 1403636579763555
    assert timestamp_us("1403636579763") == 1403636579763000
    assert [timestamp_us(stem) for stem in ("20240102120000", "0000000000001")] == [None] * 2


MATRIX = "{f} 0 {cx} 0\n0 {f} {cy} 0\n0 0 1 0\n0 0 0 1\n"


def scannet(folder, matrix):
    layout(folder, *LAYOUTS["ScanNet"])
    for scene in ("s-train", "s-val"):
        (folder / scene / "intrinsic").mkdir()
        (folder / scene / "intrinsic" / "intrinsic_color.txt").write_text(matrix)
    return str(folder)


def test_the_camera_of_scannet_is_used_and_told(tmp_path):
    text = scannet(tmp_path, MATRIX.format(f=9.5, cx=3.5, cy=2.5))
    report = check_source(text)
    assert report.focal_px == [9.5]
    assert "camera from s-train/intrinsic/intrinsic_color.txt, s-val" in format_check(report)
    assert open_source(f"{text},focal_px=20")[0].intrinsics.focal_px == 20


@pytest.mark.parametrize("name", ["intrinsics_color.txt", "camera-intrinsics.txt"])
def test_a_camera_matrix_above_the_images_is_used(name, tmp_path):
    layout(tmp_path, "rgb/{n}.png", "depth/{n}.png")
    matrix = np.eye(4)
    matrix[:3, :3] = [[9.5, 0, 3.5], [0, 9.5, 2.5], [0, 0, 1]]
    np.savetxt(tmp_path / name, matrix)
    assert open_source(str(tmp_path))[0].intrinsics.cy == 2.5


def test_the_camera_of_larger_images_is_refused(tmp_path):
    text = scannet(tmp_path, MATRIX.format(f=1170, cx=646, cy=489))
    report = check_source(text)
    assert not report.usable
    assert "does not suit its camera file" in report.broken[0][1]
    assert "are the intrinsics for this size?" in report.broken[0][1]
    assert check_source(f"{text},focal_px=9").broken == []


@pytest.mark.parametrize("matrix", ["", "1 2 3", "a b", MATRIX.format(f=0, cx=3, cy=2)])
def test_a_file_without_a_camera_matrix_is_named(matrix, tmp_path):
    with pytest.raises(
        DataError, match=r"intrinsic_color.txt is not readable as a camera: .*focal_px="
    ):
        open_source(scannet(tmp_path, matrix))


@pytest.mark.parametrize(
    ("image", "depth"),
    [
        ("rgb/{n}.5.png", "depth/{n}.05.png"),
        ("rgb/12.0{n}.png", "depth/12.{n}.png"),
        ("rgb/-1{n}.png", "depth/1{n}.png"),
        ("rgb/{n}-5.png", "depth/{n}.5.png"),
        ("rgb_1/{n}.png", "depth_2/{n}.png"),
        ("cam1_color/{n}.png", "cam2_depth/{n}.png"),
        ("kitchen_rgb/{n}.png", "office_depth/{n}.png"),
        ("rgb_day/{n}.png", "depth_night/{n}.png"),
        ("train_rgb/{n}.png", "val_depth/{n}.png"),
        ("left/{n}.png", "right_depth/{n}.png"),
        ("rgb_left/{n}.png", "depth_right/{n}.png"),
    ],
)
def test_images_never_get_the_depth_of_another_recording_or_number(image, depth, tmp_path):
    with pytest.raises(DataError, match=r"pairs\.csv"):
        open_source(f"{layout(tmp_path, image, depth)},focal_px=8")


@pytest.mark.parametrize(
    ("image", "depth"),
    [
        ("rgb_8bit/{n}.png", "depth_16bit/{n}.png"),
        ("rgb_640x480/{n}.png", "depth_320x240/{n}.png"),
        ("input_images/{n}.png", "gt_depth/{n}.png"),
        ("color_raw/{n}.png", "depth_filled/{n}.png"),
        ("image_02/{n}.png", "depth_annotated/{n}.png"),
        ("kitchen_rgb/{n}.png", "depth/{n}.png"),
        ("camera_color_image_raw/{n}.png", "camera_aligned_depth_to_color_image_raw/{n}.png"),
        ("rgb_07/{n}.png", "depth_7/{n}.png"),
    ],
)
def test_words_that_only_describe_the_files_do_not_part_folders(image, depth, tmp_path):
    assert len(open_source(f"{layout(tmp_path, image, depth)},focal_px=8")) == FRAMES


@pytest.mark.parametrize("other", ["aligned_depth", "depth_aligned_to_color", "depth-registered"])
def test_depth_beside_the_same_depth_aligned_to_another_view_is_refused(other, tmp_path):
    folder = layout(tmp_path, "color/{n}.png", "depth/{n}.png")
    layout(folder, "color/{n}.png", f"{other}/{{n}}.png")
    with pytest.raises(DataError, match=f"one named depth, got .*{other}"):
        open_source(f"{folder},focal_px=8")
    assert len(open_source(f"{layout(tmp_path / 'raw', 'rgb/{n}.png', 'depth/{n}.png')}")) == FRAMES


def test_one_depth_map_is_the_depth_of_one_image_only(tmp_path):
    """Colour at 60 Hz with gaps in the depth: no image takes the depth of the one before."""
    for n in range(FRAMES):
        write(tmp_path, f"rgb/{1500000000000 + 16 * n}.png", 10 * n)
        if n not in (3, 7):
            write(tmp_path, f"depth/{1500000000000 + 16 * n + n % 3}.png", 1000 * (n + 1))
    source = open_source(f"{tmp_path},focal_px=8")
    assert [round(float(s.depth_m[0, 0])) for s in source] == [1, 2, 3, 5, 6, 7, 9, 10, 11, 12]
    assert source.left_over == ["1500000000048", "1500000000112"]


@pytest.mark.parametrize(
    "line",
    [
        "kitchen_0028b/rgb_00000.jpg kitchen_0028b/sync_depth_00001.png 518.8579",
        "k/rgb_00045.jpg k/sync_depth_00046.png k/sync_depth_dense_00045.png 518.8579",
        "k/rgb_00045.jpg k/sync_depth_00045.png k/sync_depth_dense_00046.png 518.8579",
    ],
)
def test_a_line_of_a_list_with_the_depth_of_another_number_is_refused(line, tmp_path):
    (tmp_path / "list.txt").write_text(line)
    with pytest.raises(DataError, match=r"line 1 pairs .*, which is the depth of another image"):
        open_source(str(tmp_path / "list.txt"))
