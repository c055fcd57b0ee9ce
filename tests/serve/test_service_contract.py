"""The OpenAPI description and the service agree, whatever is sent (schemathesis)."""

import os

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.python import asgi
from schemathesis.specs.openapi.checks import positive_data_acceptance

from small_service import JPEG, photo, small_app

EXAMPLES = 300 if os.environ.get("SPD_SOAK") == "1" else 12
# What fits the description may still lie outside the photo, whose size no description knows.
EXCLUDED = [positive_data_acceptance]


# Few points, so that a busy machine answers every grid within the ten seconds of this client.
APP = small_app(max_points=10_000)
schema = schemathesis.openapi.from_dict(APP.openapi())
schema.app = APP


@pytest.mark.soak
@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_sent_the_answer_is_as_described(case):
    if "image_id" in (case.path_parameters or {}) and case.path_parameters["image_id"] != "0":
        case.path_parameters["image_id"] = posted_image()
    response = case.call_and_validate(excluded_checks=EXCLUDED)
    assert response.status_code < 500


def posted_image() -> str:
    """A photo that is there; posted again where it was forgotten."""
    client = asgi.get_client(APP)
    answer = client.request(
        "POST", "/v1/images", params={"focal_px": "60"}, data=photo(), headers=JPEG
    )
    return answer.json()["id"]
