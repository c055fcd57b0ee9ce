"""A page of parts as one HTML file that needs nothing else, neither a network nor a second file.

A few lines of script let a reader sort tables. The page's content security policy forbids every
request and every other script, so a name in the data can do no harm.
"""

import base64
import functools
import hashlib
import importlib.resources
from collections.abc import Sequence
from typing import TYPE_CHECKING

from spd.report.page_parts import PageSection

if TYPE_CHECKING:
    from jinja2 import Environment


def render(title: str, lead: str, sections: Sequence[PageSection], footer: str) -> str:
    """The HTML of a page.

    Args:
        title: the name of the document.
        lead: one sentence below the title.
        sections: from top to bottom.
        footer: the version that made it and its sources.
    """
    from markupsafe import Markup

    script, style = _template_file("sort.js"), _template_file("style.css")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            title=title,
            lead=lead,
            sections=sections,
            footer=footer,
            # Both are files of this package; everything else is escaped.
            script=Markup(script),
            style=Markup(style),
            script_digest=digest,
        )
    )


@functools.cache
def _environment() -> "Environment":
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("spd.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _template_file(name: str) -> str:
    return (importlib.resources.files("spd.report") / "templates" / name).read_text("utf-8")
