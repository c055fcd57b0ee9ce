"""The camera of a posted photo: in the query, in the form, in both; misspelled and misplaced."""

import pytest

from helpers.costly_files import flat_png
from helpers.small_service import error_of, photo, posted, small_service


@pytest.fixture(scope="module")
def client():
    with small_service() as client:
        yield client


FOCAL = 70.0
FILE = {"photo": ("a.png", photo(), "image/png")}


@pytest.mark.parametrize(
    "fields",
    [
        {"focal_px": str(FOCAL)},
        {"focal_px": str(FOCAL), "fov_deg": ""},
        {"fx": str(FOCAL), "fy": str(FOCAL), "cx": "30", "cy": "20"},
    ],
)
def test_the_camera_may_be_in_the_form(client, fields):
    answer = client.post("/v1/images", files=FILE, data=fields)
    assert answer.status_code == 201, answer.text
    assert answer.json()["focal_px"] == pytest.approx(FOCAL)


def test_a_value_given_twice_must_be_the_same(client):
    same = client.post("/v1/images?focal_px=60", files=FILE, data={"focal_px": "60"})
    assert same.json()["focal_px"] == 60
    other = client.post("/v1/images?focal_px=60", files=FILE, data={"focal_px": "61"})
    assert error_of(other)[:2] == (422, "bad_request")
    assert "focal_px is given twice" in error_of(other)[2]
    twice = client.post("/v1/images?focal_px=60&focal_px=61", files=FILE)
    assert "focal_px is given twice" in error_of(twice)[2]
    both = client.post("/v1/images?focal_px=60", files=FILE, data={"fov_deg": "60"})
    assert "pass only one of focal_px, fov_deg" in error_of(both)[2]


@pytest.mark.parametrize("name", ["focal", "Focal_px", "f", "fov", "focal_length", "Intrinsics"])
def test_a_misspelled_camera_is_refused_wherever_it_is(client, name):
    for words in ({"data": {name: "60"}}, {"params": {name: "60"}}):
        answer = client.post("/v1/images", files=FILE, **words)
        assert error_of(answer)[0] == 422
        assert "expected focal_px, fov_deg, fx" in error_of(answer)[2]


@pytest.mark.parametrize("value", ["wide", "-3", "nan", "500,5"])
def test_a_field_is_checked_as_a_parameter_is(client, value):
    answer = client.post("/v1/images", files=FILE, data={"focal_px": value})
    assert error_of(answer)[0] == 422
    assert "focal_px" in error_of(answer)[2]


def test_two_different_photos_in_a_form_are_refused(client):
    two = [("photo", FILE["photo"]), ("photo", ("b.png", flat_png(9, 9), "image/png"))]
    answer = client.post("/v1/images", files=two)
    assert "different fields 'photo'" in error_of(answer)[2]


def test_a_camera_beside_a_mask_is_refused(client):
    image = posted(client)
    files = {"mask": ("m.png", flat_png(5, 5), "image/png")}
    answer = client.post(f"/v1/images/{image}/mask", files=files, data={"focal_px": "60"})
    assert "the camera belongs to the photo" in error_of(answer)[2]
