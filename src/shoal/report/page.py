"""What all pages are made of: one file with the style, the pictures and their script in it, which asks nothing of any network."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from jinja2.meta import find_referenced_templates
from markupsafe import Markup

from shoal.errors import ShoalError
from shoal.report import wording
from shoal.report.drawing import Figure, undirected


def drawn_page(template: str, figures: Mapping[str, Figure], identity: str, **values: Any) -> str:
    """A page whose pictures are drawn by Plotly, which it brings along.

    Args:
        template: its file.
        figures: the pictures, by name.
        identity: of what it shows: with the pictures' numbers it decides the word without which no script runs.
        values: what else the template names.

    Raises:
        ShoalError: if the plotly package is not installed.
    """
    numbers = script_json({name: {"data": figure.data, "layout": figure.layout} for name, figure in figures.items()})
    pictures = {"figures": figures, "figures_json": numbers, "plotly": _packed_plotly(), "script": own_file("page.js")}
    return plain_page(template, numbers + identity, **pictures, **values)


def prepare_page(template: str) -> None:
    """Compile a template and those that it names, and pack Plotly, as ``drawn_page`` does where that is not done yet.

    Args:
        template: its file.

    Raises:
        ShoalError: if the plotly package is not installed.
    """
    _packed_plotly()
    waiting, known = [template], {template}
    while waiting:
        name = waiting.pop()
        environment().get_template(name)
        named = {other for other in find_referenced_templates(environment().parse(own_file(name))) if other} - known
        waiting += sorted(named)
        known |= named


def plain_page(template: str, identity: str, **values: Any) -> str:
    """A page as its template writes it, in the house's style.

    Args:
        template: its file.
        identity: of what it shows.
        values: what the template names.
    """
    # scripts without this word do not run; the data cannot contain it, because it is made from them
    nonce = hashlib.sha256(identity.encode(errors="backslashreplace")).hexdigest()[:24]
    return environment().get_template(template).render(words=wording, style=own_file("style.css"), nonce=nonce, **values)


def script_json(value: Any) -> Markup:
    """JSON that is safe inside a script element: nothing in it can end the element or a line.

    Example:
        >>> print(script_json({"name": "</script>"}))
        {"name":"\\u003c/script\\u003e"}
    """
    # json escapes everything beyond ASCII itself, U+2028 and U+2029 included
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


@cache
def environment() -> Environment:
    """Where templates come from; what they are given is escaped."""
    return Environment(
        loader=FunctionLoader(own_file),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def _shown(value: Any) -> Any:
    return undirected(value) if type(value) is str else value


@cache
def own_file(name: str) -> Markup:
    """The text of a file of this room."""
    return Markup((files("shoal.report") / name).read_text(encoding="utf-8"))


@cache
def _packed_plotly() -> str:
    """Plotly's script, compressed and in base64. Found without importing plotly, which takes longer than the rest."""
    package = find_spec("plotly")
    if package is None or not package.submodule_search_locations:
        raise ShoalError("The report is drawn by plotly, which is not installed. Run: pip install plotly")
    script = Path(package.submodule_search_locations[0]) / "package_data" / "plotly.min.js"
    # without a time stamp, the same record gives the same file
    return base64.b64encode(gzip.compress(script.read_bytes(), 9, mtime=0)).decode()
