"""What tools/ makes for the documentation is up to date, and says what is so."""

import functools
import json
import re

import pytest
import torch
import typer.main

import access_pattern
import commands_page
import configuration_page
import http_page
from helpers.doc_pages import DOCS
from spd.cli.commands import app
from spd.config import ModelConfig
from spd.cost import mac_tables
from spd.models.spd import SPD
from spd.recipes import nyu_v15_2, override


def test_the_page_of_commands_is_up_to_date():
    text = (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
    assert text == commands_page.page(), "run make docs"


def test_every_command_and_option_is_on_its_page():
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", commands_page.page(), re.M | re.S))
    open_ = [("spd", typer.main.get_command(app))]
    while open_:
        name, command = open_.pop()
        if hasattr(command, "commands"):
            open_ += [(f"{name} {word}", below) for word, below in command.commands.items()]
            continue
        section = sections.pop(name)
        for parameter in command.params:
            for option in (*parameter.opts, *parameter.secondary_opts):
                assert f"`{option if option.startswith('-') else option.upper()}`" in section
    assert sections == {}


def test_the_page_of_configuration_keys_is_up_to_date():
    text = (DOCS / "reference" / "configuration.md").read_text(encoding="utf-8")
    assert text == configuration_page.page(), "run make docs"


def test_every_configuration_key_is_on_its_page_and_can_be_set():
    listed = re.findall(r"^\| `([a-z_.]+)` \|", configuration_page.page(), re.M)
    keys = [key for key in listed if "." in key]
    recipe = nyu_v15_2()
    data = recipe.to_dict()

    def paths(part: dict, prefix: str) -> list[str]:
        found = []
        for name, value in part.items():
            inner = isinstance(value, dict)
            found += paths(value, f"{prefix}{name}.") if inner else [f"{prefix}{name}"]
        return found

    assert sorted(keys) == sorted(set(paths(data, "")) - {"name"})
    for key in keys:
        value = functools.reduce(lambda part, name: part[name], key.split("."), data)
        assert override(recipe, [f"{key}={json.dumps(value)}"]) == recipe


def test_help_becomes_markdown_with_links_and_without_accidents():
    said = commands_page._linked("PATH[:SPLIT], see docs/data.md; `spd x [y] docs/data.md` <b>")
    assert said == (r"PATH\[:SPLIT], see [data.md](../data.md); `spd x [y] docs/data.md` \<b>")


def test_the_picture_of_the_access_pattern_is_up_to_date():
    text = (DOCS / "images" / "access_pattern.svg").read_text(encoding="utf-8")
    assert text == access_pattern.draw(), "run python tools/access_pattern.py"


def test_the_picture_shows_the_windows_of_a_real_model():
    with torch.inference_mode():
        maps = SPD(ModelConfig.tiny()).encode(torch.zeros(1, 3, *access_pattern.IMAGE))
    text = access_pattern.draw()
    for feature_map, cell_px in ((maps.stride_8_map, 7), (maps.l2, 7), (maps.l1, 3.5)):
        h, w = feature_map.shape[-2:]
        assert f"{h} x {w} cells of {cell_px} px" in text
        read = access_pattern.read_of((h, w), window=5)
        assert read.cell_px == cell_px
        u, v = access_pattern.POINT
        steps = [cell_px * step for step in (-2, -1, 0, 1, 2)]
        wanted = [(u + across, v + down) for down in steps for across in steps]
        assert read.tokens == [pytest.approx(place, abs=1e-9) for place in wanted]
        # Every token lies inside the 6x6 cells it is blended of.
        columns, rows = ({cell[axis] for cell in read.cells} for axis in (0, 1))
        assert (len(read.cells), len(columns), len(rows)) == (36, 6, 6)
        assert min(columns) <= wanted[0][0] < wanted[-1][0] <= max(columns)
        assert min(rows) <= wanted[0][1] < wanted[-1][1] <= max(rows)


def test_the_counts_on_the_page_of_concepts_are_the_computed_ones():
    text = (DOCS / "concepts.md").read_text(encoding="utf-8")
    rows = {row.key: row.values for table in mac_tables(ModelConfig()) for row in table.rows}
    shared, query = rows["10.1/total"][1], rows["10.2/total"][1]
    assert f"| encode, once per photo | {shared / 1e9:.2f} G |" in text
    assert f"| one queried pixel | {query / 1e6:.3f} M |" in text
    assert f"| the dense map, 13,600 positions | {rows['10.3/total'][1] / 1e9:.2f} G |" in text
    assert f"Beyond about {round(rows['10.4/break_even'][1], -3):,.0f} queries" in text
    assert 1000 * query < 0.01 * shared


def test_the_page_of_the_service_is_up_to_date():
    pytest.importorskip("fastapi", reason="the service is an extra (pip install -e '.[serve]')")
    text = (DOCS / "reference" / "http.md").read_text(encoding="utf-8")
    assert text == http_page.page(http_page.schema_of_the_service()), "run make docs"


def test_the_page_of_examples_names_each_of_them():
    text = (DOCS / "examples.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `([\w.]+)` \|", text, re.M))
    there = {path.name for path in (DOCS.parent / "examples").iterdir() if path.name[0] not in "._"}
    assert listed == there - {"README.md"}


PAIR = {"type": "array", "prefixItems": [{"type": "number"}] * 2}
ANSWERS = {
    "200": {"description": "Fine", "content": {"image/png": {}}},
    "422": {"description": "Another | form"},
}
FIELDS = {
    "points": {"type": "array", "items": PAIR, "description": "Where."},
    "xyz": {"anyOf": [{"type": "boolean"}, {"type": "null"}], "default": False},
    "range_m": {"type": "array", "items": {"anyOf": [{"type": "number"}, {"type": "null"}]}},
    "of": {"$ref": "#/components/schemas/Limits"},
}
PARAMETERS = [
    {"name": "id", "in": "path", "schema": {"type": "string"}},
    {"name": "far", "in": "query", "schema": {"type": "string"}, "description": "How\nfar."},
]


@pytest.mark.parametrize("own", [True, False])
def test_an_openapi_schema_becomes_a_page(own):
    asked = {"title": "Asked", "type": "object", "description": "A question.", "properties": FIELDS}
    shared = {"Limits": {"properties": {}}, "HTTPValidationError": {}}
    if not own:
        shared["Asked"] = asked
    schema = asked if own else {"$ref": "#/components/schemas/Asked"}
    operation = {
        "summary": "Ask points",
        "parameters": PARAMETERS,
        "requestBody": {"content": {"application/json": {"schema": schema}}},
        "responses": ANSWERS,
    }
    paths = {"/v1/images/{id}/points": {"post": operation, "delete": {"responses": {"204": {}}}}}
    text = http_page.page({"paths": paths, "components": {"schemas": shared}})
    for line in (
        "### POST /v1/images/{id}/points\n\nAsk points.\n",
        "|---|---|---|\n| `far` | string | How far. |\n",
        "Body: [Asked](#asked).",
        "Response 200: `image/png`.\n\nErrors: 422.\n",
        "Response 204: empty.\n\nErrors: none.\n",
        r"| 422 | Another \| form |",
        "### Asked\n\nA question.\n",
        "| `points` | list of (number, number) | Where. |",
        "| `xyz` | boolean or null | Default: `False`. |",
        "| `range_m` | list of (number or null) |  |",
        "| `of` | [Limits](#limits) |  |",
    ):
        assert line in text
    assert "HTTPValidationError" not in text
