"""The browser, a service and a visit to its page; a file may define its own."""

import pytest

from helpers.page_service import serving
from helpers.page_visit import chromium, visiting


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as context:
        yield context


@pytest.fixture(scope="module")
def served():
    with serving() as running:
        yield running


@pytest.fixture
def visit(browser, served):
    """A visit during which the page may log nothing."""
    with visiting(browser, served.address) as opened:
        yield opened
        assert opened.messages == []
