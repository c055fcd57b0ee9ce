"""Synthetic rooms: depth against closed forms, orientation, sizes, light, whole frames."""

import math

import numpy as np
import pytest

from spd.data.rooms import (
    RoomCamera,
    RoomFrame,
    RoomGeometry,
    furniture,
    lighting,
    patterns,
    render_room,
    soft,
)
from spd.data.rooms.floor_plan import FloorPlan, Rectangle
from spd.data.rooms.lighting import Light, Points
from spd.data.rooms.materials import Material, colour, plain, planks, tiles
from spd.data.rooms.mesh import Mesh, MeshBuilder
from spd.data.rooms.shell import make_room
from spd.data.sample import valid_depth
from spd.errors import InputError, PointError
from spd.pixels import Intrinsics

SIZE = (61, 83)
GREY = Material(plain(colour(0.5, 0.5, 0.5), mottle=0.0))


def small_camera(position=(0.0, 0.0, 0.0), yaw=0.3, tilt=-0.2, roll=0.1) -> RoomCamera:
    intrinsics = Intrinsics.centred(70.0, SIZE)
    return RoomCamera.looking(
        np.array(position), yaw=yaw, tilt=tilt, roll=roll, intrinsics=intrinsics
    )


def bare_geometry(corners: np.ndarray, surface: np.ndarray | None = None) -> RoomGeometry:
    """Triangles of one material, each its own surface unless ids are given."""
    count = len(corners)
    mesh = Mesh(
        corners=corners,
        normals=np.zeros((count, 3, 3), np.float32),
        texture_m=np.zeros((count, 3, 2), np.float32),
        surface=np.asarray(range(count) if surface is None else surface, np.int32),
        material=np.zeros(count, np.int32),
        materials=(GREY,),
    )
    return RoomGeometry(mesh)


def surface_ids(frame: RoomFrame) -> np.ndarray:
    """Surface id at every pixel centre."""
    height, width = frame.depth_m.shape
    v, u = np.mgrid[:height, :width]
    return frame.surface_at(np.stack([u, v], axis=-1).reshape(-1, 2)).reshape(height, width)


def random_points(count: int, seed: int = 0) -> np.ndarray:
    limit = np.array([SIZE[1], SIZE[0]])
    return np.random.default_rng(seed).uniform(-0.5, limit - 0.5, (count, 2))


def quad(a, b, c, d) -> np.ndarray:
    return np.array([[a, b, c], [a, c, d]], float)


@pytest.fixture(scope="module")
def frame() -> RoomFrame:
    return render_room(3, size=(120, 160))


@pytest.fixture(scope="module")
def many_frames() -> list[RoomFrame]:
    return [render_room(seed, size=(48, 64)) for seed in range(20)]


# Rays and exact depth


def test_tilted_plane_has_its_closed_form_depth():
    camera = small_camera((1.0, 2.0, 0.5))
    normal, distance = np.array([0.3, -0.2, -1.0]), -2.5  # in the camera frame: n . X = distance
    in_camera = [
        (x, y, (distance - normal[0] * x - normal[1] * y) / normal[2])
        for x, y in ((-9, -9), (9, -9), (9, 9), (-9, 9))
    ]
    corners = camera.position + np.array(in_camera) @ camera.axes
    geometry = bare_geometry(quad(*corners))
    points = random_points(500)
    k = camera.intrinsics
    rays = np.stack(
        [(points[:, 0] - k.cx) / k.fx, (points[:, 1] - k.cy) / k.fy, np.ones(500)], axis=1
    )
    # float64 all the way: only rounding is left, far below what float32 distances would give
    np.testing.assert_allclose(
        geometry.depth(camera, geometry.view(camera, points)),
        distance / (rays @ normal),
        rtol=1e-12,
    )


def test_box_seen_from_inside_has_slab_depth_and_ids():
    low, high = np.array([-2.0, -1.5, -1.2]), np.array([3.0, 2.5, 1.4])
    builder = MeshBuilder()
    builder.box(low, high, GREY)
    corners = builder.build().corners
    faces = np.repeat(np.arange(6), 2)
    geometry, camera = bare_geometry(corners, faces), small_camera((0.2, 0.1, 0.3))
    points = random_points(2000)
    hits, rays = geometry.view(camera, points), camera.directions(points)
    walls = np.where(rays > 0, high, low)
    expected = ((walls - camera.position) / rays).min(axis=1)
    np.testing.assert_allclose(geometry.depth(camera, hits), expected, rtol=1e-12)
    axis = ((walls - camera.position) / rays).argmin(axis=1)
    assert np.array_equal(axis, np.ptp(corners, axis=1).argmin(axis=1)[hits.triangle])
    assert len(np.unique(geometry.mesh.surface[hits.triangle])) >= 3


def test_sphere_depth_is_between_the_sphere_and_its_inscribed_facets():
    builder, rings = MeshBuilder(), 40
    builder.cushion((2, -1, -1), (4, 1, 1), GREY, roundness=1.0, rings=rings)
    geometry, camera = RoomGeometry(builder.build()), small_camera(yaw=0.0, tilt=0.0, roll=0.0)
    points = random_points(2000)
    hits = geometry.view(camera, points)
    rays = camera.directions(points)
    depth = geometry.depth(camera, hits)
    hit = hits.triangle >= 0
    assert 0.05 < hit.mean() < 0.6
    assert np.isnan(depth[~hit]).all()
    radius = np.linalg.norm(rays[hit] * depth[hit, None] - np.array([3.0, 0, 0]), axis=1)
    # corners lie on the sphere; a cell's middle is sunk by at most cos of half its two angles
    sunk = math.cos(math.pi / (2 * rings)) ** 2
    assert radius.max() <= 1 + 1e-12
    assert radius.min() >= sunk
    # straight ahead the closed form is 2 m, less than 1 - sunk off
    ahead = geometry.depth(camera, geometry.view(camera, np.array([[41.0, 30.0]])))
    assert ahead[0] == pytest.approx(2.0, abs=1 - sunk)


def test_camera_axes_are_right_down_forward():
    camera = small_camera(yaw=0.0, tilt=0.0, roll=0.0)
    np.testing.assert_allclose(camera.axes, [[0, -1, 0], [0, 0, -1], [1, 0, 0]], atol=1e-15)
    up = small_camera(yaw=0.0, tilt=0.3, roll=0.0)
    assert up.axes[2, 2] == pytest.approx(math.sin(0.3))
    turned = small_camera()
    np.testing.assert_allclose(turned.axes @ turned.axes.T, np.eye(3), atol=1e-15)
    assert np.linalg.det(turned.axes) == pytest.approx(1.0)


def test_a_ray_through_a_hairline_gap_still_meets_the_plane():
    gap = 1e-6  # metres, at 2 m: 35 millionths of a pixel
    left = quad((2, gap, -3), (2, 3, -3), (2, 3, 3), (2, gap, 3))
    right = quad((2, -3, -3), (2, -gap, -3), (2, -gap, 3), (2, -3, 3))
    geometry = bare_geometry(np.concatenate([left, right]))
    camera = small_camera(yaw=0.0, tilt=0.0, roll=0.0)
    centre = np.array([[41.0, 30.5]])
    assert geometry._view_once(camera, centre).triangle[0] == -1
    assert geometry.depth(camera, geometry.view(camera, centre))[0] == pytest.approx(2.0, rel=1e-12)


def test_room_geometry_refuses_broken_triangles():
    with pytest.raises(InputError, match="finite"):
        bare_geometry(np.full((1, 3, 3), np.nan))
    with pytest.raises(InputError, match=r"\[T, 3, 3\]"):
        bare_geometry(np.zeros((4, 3)))


# Primitives


def signed_volume(mesh: Mesh) -> float:
    a, b, c = mesh.corners.transpose(1, 0, 2)
    return float(np.einsum("ti,ti->", a, np.cross(b, c)) / 6)


def test_closed_primitives_face_outwards_and_have_their_volume():
    def volume(add) -> float:
        builder = MeshBuilder()
        with builder.placed(1.0, 2.0, 0.5, yaw=0.7):
            add(builder)
        return signed_volume(builder.build())

    assert volume(lambda b: b.box((0, 0, 0), (1, 2, 3), GREY)) == pytest.approx(6.0)
    assert volume(lambda b: b.beam((0, 0, 0), (0, 3, 4), 0.1, GREY)) == pytest.approx(0.05)
    # a tapered bar is a frustum: h / 3 (A + sqrt(A B) + B)
    assert volume(lambda b: b.beam((0, 0, 0), (0, 0, 3), 1.0, GREY, taper=0.5)) == pytest.approx(
        1.75
    )
    octagon = 4 * math.sin(math.pi / 4) * 0.2**2
    assert volume(lambda b: b.tube((0, 0, 0), (2, 0, 0), 0.2, GREY)) == pytest.approx(2 * octagon)
    profile = [(0.0, 0.0), (0.2, 0.0), (0.2, 2.0), (0.0, 2.0)]
    assert volume(lambda b: b.lathe(profile, GREY, sides=8)) == pytest.approx(2 * octagon)
    ball = volume(lambda b: b.cushion((-1, -1, -1), (1, 1, 1), GREY, roundness=1.0, rings=40))
    assert ball == pytest.approx(4 / 3 * math.pi, rel=5e-3)  # inscribed: sin(x)/x of its steps


def test_quad_texture_starts_at_its_origin_in_metres():
    builder = MeshBuilder()
    builder.quad((1, 2, 3), (0, 0, 2), (0, 0.5, 0), GREY, step_m=0.7)
    mesh = builder.build()
    assert len(mesh.corners) == 2 * 3 * 1
    expected = np.stack([mesh.corners[..., 2] - 3, mesh.corners[..., 1] - 2], axis=-1)
    np.testing.assert_allclose(mesh.texture_m, expected, atol=1e-6)  # float32
    assert np.array_equal(np.unique(mesh.surface), [0])


def test_degenerate_triangles_are_dropped():
    builder = MeshBuilder()
    builder.cushion((0, 0, 0), (1, 1, 1), GREY, rings=6)
    mesh = builder.build()
    geometry = RoomGeometry(mesh)
    assert len(mesh.corners) == 2 * 6 * 12 - 2 * 12  # at either pole half of each pair has no area
    np.testing.assert_allclose(np.linalg.norm(geometry.plane_normal, axis=1), 1.0, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=2), 1.0, atol=1e-5)  # float32


# Sizes a network may learn metres from


@pytest.mark.parametrize(
    ("make", "low", "high"),
    [
        (furniture.table, 0.72, 0.76),
        (furniture.desk, 0.72, 0.76),
        (furniture.chair, 0.78, 1.0),
        (soft.sofa, 0.72, 0.92),
        (soft.bed, 0.75, 1.2),
        (furniture.bookshelf, 0.8, 2.15),
    ],
)
def test_furniture_has_real_heights(make, low, high):
    for seed in range(8):
        assert low <= make(np.random.default_rng(seed)).height_m <= high


def test_a_built_chair_stands_on_the_floor_inside_its_footprint():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        room, piece = make_room(rng), furniture.chair(rng)
        piece.build(room)
        corners = room.mesh.build().corners.reshape(-1, 3)
        assert corners[:, 2].min() == pytest.approx(0.0, abs=0.02)  # slanted legs end square
        assert corners[:, 2].max() == pytest.approx(piece.height_m, abs=0.02)
        assert np.abs(corners[:, 0]).max() < piece.width_m / 2 + 0.03
        assert corners[:, 1].max() < piece.depth_m + 0.03


def test_floor_plan_knows_an_l_shape_and_what_is_taken():
    shape = np.array([(0, 0), (4, 0), (4, 2), (2, 2), (2, 4), (0, 4)], float)
    plan = FloorPlan(shape)
    assert plan.free.sum() * 0.05**2 == pytest.approx(12.0, abs=0.2)  # one 5 cm cell of rim
    assert plan.fits(Rectangle(1.0, 1.0, 0.0, (-0.5, 0.0), (0.5, 0.8)))
    assert not plan.fits(Rectangle(3.0, 3.0, 0.0, (-0.1, 0.0), (0.1, 0.1)))
    assert not plan.fits(Rectangle(9.0, 9.0, 0.0, (-0.1, 0.0), (0.1, 0.1)))
    plan.take(Rectangle(1.0, 1.0, 0.0, (-0.5, 0.0), (0.5, 0.8)), clearance_m=0.5)
    assert not plan.fits(Rectangle(1.0, 1.2, 0.0, (-0.1, 0.0), (0.1, 0.1)))
    assert not plan.fits(Rectangle(1.0, 2.0, 0.0, (-0.1, 0.0), (0.1, 0.1)))  # kept clear
    assert plan.fits(Rectangle(1.0, 2.0, 0.0, (-0.1, 0.0), (0.1, 0.1)), allow_reserved=True)
    places = plan.standing_places(0.4)
    assert len(places)
    assert ((places[:, 0] < 1.65) | (places[:, 1] < 1.65)).all()


# Light and texture


def floor_point(height: float = 0.0) -> Points:
    return Points(
        np.array([[0.0], [0.0], [height]], np.float32), np.array([[0.0], [0.0], [1.0]], np.float32)
    )


def test_light_falls_with_distance_and_is_blocked():
    plate = quad((-1, -1, 1.5), (1, -1, 1.5), (1, 1, 1.5), (-1, 1, 1.5))
    geometry = bare_geometry(plate)
    lamp = Light(np.array([0.0, 0.0, 3.0]), np.array([2.0, 1.0, 0.5], np.float32), radius_m=0.0)
    middle = np.full((2, 1), 0.5, np.float32)
    above, _ = lighting.direct(geometry, lamp, floor_point(2.0), middle)
    np.testing.assert_allclose(above[:, 0], np.array([2, 1, 0.5]) / (1 + 0.2), rtol=1e-5)
    below, _ = lighting.direct(geometry, lamp, floor_point(0.0), middle)
    assert not below.any()


def test_bounce_in_a_closed_room_of_one_brightness_is_that_brightness():
    builder = MeshBuilder()
    builder.box((-2, -2, -1), (2, 2, 2), GREY)
    geometry = RoomGeometry(builder.build())
    leaving = np.full((3, 12), 0.25, np.float32)
    jitter = np.random.default_rng(0).random((2, 1), np.float32)
    np.testing.assert_allclose(lighting.gather(geometry, floor_point(), leaving, jitter), 0.25)


def test_textures_keep_shape_and_stay_albedos():
    p = np.random.default_rng(0).uniform(-3, 3, (2, 97)).astype(np.float32)
    footprint = np.full(97, 0.004, np.float32)
    a, b, c = colour(0.8, 0.2, 0.1), colour(0.2, 0.8, 0.1), colour(0.1, 0.1, 0.1)
    five = np.stack([a, b, c, a, b])
    for texture in (
        plain(a),
        planks(a, width_m=0.1, length_m=1.0, contrast=0.3, salt=1),
        tiles(a, b, c, size_m=(0.3, 0.3), salt=1, brick=False),
        patterns.plaid(a, b, c, period_m=0.1),
        patterns.rug(a, b, c, size_m=(2.0, 1.0), salt=5),
        *(patterns.picture((1.0, 0.7), five, kind=kind, salt=3) for kind in range(3)),
    ):
        value = texture(p, footprint)
        assert value.shape == (3, 97)
        assert value.min() >= 0
        assert value.max() <= 1.5


# Whole frames


def test_frames_have_no_holes_and_indoor_depths(many_frames):
    for frame in many_frames:
        assert np.isfinite(frame.depth_m).all()
        inside = (frame.depth_m >= 0.4) & (frame.depth_m <= 10.0)
        assert inside.mean() > 0.999
        assert len(np.unique(surface_ids(frame))) >= 3
    medians = np.array([np.median(frame.depth_m) for frame in many_frames])
    assert ((medians > 1.0) & (medians < 5.5)).all()
    assert medians.std() > 0.2  # rooms differ
    assert np.mean([frame.image.mean() for frame in many_frames]) == pytest.approx(130, abs=40)


def test_frames_are_contrasty_pictures_of_different_rooms(many_frames):
    for frame in many_frames:
        assert frame.image.std() > 12
        assert 60 < frame.image.mean() < 200
    small = np.stack([frame.image[::8, ::8].ravel().astype(float) for frame in many_frames])
    assert np.abs(np.corrcoef(small) - np.eye(len(small))).max() < 0.95


def test_shapes_and_types(frame):
    assert frame.image.shape == (120, 160, 3)
    assert frame.image.dtype == np.uint8
    assert frame.depth_m.dtype == np.float32
    assert surface_ids(frame).dtype == np.int32
    assert frame.normal.shape == (120, 160, 3)
    assert frame.normal.dtype == np.float32


def test_the_same_arguments_give_the_same_frame(frame):
    again = render_room(3, size=(120, 160))
    assert np.array_equal(surface_ids(frame), surface_ids(again))
    for name in ("image", "depth_m", "normal"):
        assert np.array_equal(getattr(frame, name), getattr(again, name)), name
    assert not np.array_equal(frame.image, render_room(4, size=(120, 160)).image)


def test_focal_length_defaults_to_nyu_field_of_view(frame):
    assert frame.intrinsics == Intrinsics.centred(518.8579 / 4, (120, 160))
    given = render_room(3, size=(48, 64), focal_px=60.0)
    assert given.intrinsics == Intrinsics.centred(60.0, (48, 64))


def test_depth_at_pixel_centres_is_the_depth_map(frame):
    v, u = np.mgrid[:120, :160]
    points = np.stack([u, v], axis=-1).reshape(-1, 2)
    depth = frame.depth_at(points)
    assert depth.dtype == np.float64
    assert np.array_equal(depth.astype(np.float32).reshape(120, 160), frame.depth_m)


def test_inverse_depth_is_affine_between_pixels_of_one_plane(frame):
    surface = surface_ids(frame)
    same = (surface[:, :-1] == surface[:, 1:]) & (
        np.abs(frame.normal[:, :-1] - frame.normal[:, 1:]).max(axis=-1) < 1e-6
    )
    v, u = np.nonzero(same)
    left, middle, right = (
        1 / frame.depth_at(np.stack([u + shift, v], axis=-1)) for shift in (0.0, 0.5, 1.0)
    )
    flat = np.abs(middle - (left + right) / 2) < 1e-9 * middle
    # the rest: something thinner than a pixel between the two, or parallel planes of one object
    assert flat.mean() > 0.98


def test_normals_are_unit_face_the_camera_and_agree_with_depth(frame):
    np.testing.assert_allclose(np.linalg.norm(frame.normal, axis=-1), 1, atol=1e-5)  # float32
    v, u = np.mgrid[:120, :160]
    k = frame.intrinsics
    ray = np.stack([(u - k.cx) / k.fx, (v - k.cy) / k.fy, np.ones((120, 160))], axis=-1)
    assert ((frame.normal * ray).sum(axis=-1) < 1e-6).all()
    point = ray * frame.depth_m[..., None]
    step = point[:, 1:] - point[:, :-1]
    surface = surface_ids(frame)
    same = (surface[:, 1:] == surface[:, :-1]) & (
        np.abs(frame.normal[:, 1:] - frame.normal[:, :-1]).max(axis=-1) < 1e-6
    )
    lift = np.abs((step * frame.normal[:, 1:]).sum(axis=-1)) / np.linalg.norm(step, axis=-1)
    assert np.quantile(lift[same], 0.98) < 1e-3  # float32 depth over a step of centimetres


def test_sample_carries_the_frame(frame):
    sample = frame.sample("room-3")
    assert sample.name == "room-3"
    assert sample.intrinsics == frame.intrinsics
    assert np.array_equal(sample.valid, valid_depth(frame.depth_m))
    assert sample.image is frame.image


def test_bad_arguments_are_refused(frame):
    with pytest.raises(PointError, match="point 1 is"):
        frame.depth_at(np.array([[0.0, 0.0], [160.0, 3.0]]))
    with pytest.raises(PointError, match="outside"):
        frame.surface_at(np.array([[np.nan, 0.0]]))
    with pytest.raises(PointError, match=r"\[K, 2\]"):
        frame.depth_at(np.zeros(2))
    with pytest.raises(InputError, match="seed"):
        render_room(-1)
    with pytest.raises(InputError, match="size"):
        render_room(0, size=(1, 64))
    with pytest.raises(InputError, match="focal"):
        render_room(0, size=(48, 64), focal_px=0.0)
