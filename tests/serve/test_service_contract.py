"""The OpenAPI description and the service agree, whatever is sent (schemathesis)."""

import os
import re

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.python import asgi
from schemathesis.specs.openapi.checks import positive_data_acceptance

from helpers.small_service import JPEG, photo, small_app

EXAMPLES = 300 if os.environ.get("SPD_SOAK") == "1" else 12
# What fits the description may still lie outside the photo, whose size no description knows.
EXCLUDED = [positive_data_acceptance]


# Few points, so that a busy machine answers every grid within the ten seconds of this client.
APP = small_app(max_points=10_000)
# What is wrong and too much as well may be refused for either.
REFUSED = {"expected-statuses": [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429, "5XX"]}
schema = schemathesis.openapi.from_dict(
    APP.openapi(),
    config=schemathesis.Config.from_dict({"checks": {"negative_data_rejection": REFUSED}}),
)
schema.app = APP


def contract_of(operation):
    """The test of one operation."""

    @pytest.mark.soak
    @schema.include(path=operation.path, method=operation.method.upper()).parametrize()
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    def whatever_is_sent_the_answer_is_as_described(case):
        if "image_id" in (case.path_parameters or {}) and case.path_parameters["image_id"] != "0":
            case.path_parameters["image_id"] = posted_image()
        response = case.call_and_validate(excluded_checks=EXCLUDED)
        assert response.status_code < 500

    return whatever_is_sent_the_answer_is_as_described


# A function each: the tests of one function would share one name under pytest 9.2, and of tests of
# one name pytest-xdist runs only one.
for found in schema.get_all_operations():
    name = re.sub(r"\W+", "_", found.ok().label).strip("_").lower()
    globals()[f"test_whatever_is_sent_to_{name}"] = contract_of(found.ok())


def test_every_operation_is_tried():
    tried = [name for name in globals() if name.startswith("test_whatever_is_sent_to_")]
    assert len(tried) == sum(len(methods) for methods in APP.openapi()["paths"].values())


def posted_image() -> str:
    """A photo that is there; posted again where it was forgotten."""
    client = asgi.get_client(APP)
    answer = client.request(
        "POST", "/v1/images", params={"focal_px": "60"}, data=photo(), headers=JPEG
    )
    return answer.json()["id"]
