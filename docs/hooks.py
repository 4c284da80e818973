"""What the build does beside MkDocs: formulas are set; figures are drawn, where their sources have changed, and put into pages."""

from __future__ import annotations

import html
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import formulas
from figures import cache
from mkdocs.exceptions import PluginError

ONLY_KEPT = os.environ.get("FIGURES") == "kept"
"""Whether figures that would have to be drawn are left out: a build that checks pages and links within seconds."""

OF_FINDINGS = Path(__file__).parent / "findings" / "drawings"
"""Those of the findings, which docs/findings.py draws: they come from runs of minutes."""

FIGURE = re.compile(r'<p>\s*<img alt="(?P<caption>[^"]*)" src="figure:(?P<name>[\w-]+)" ?/?>\s*</p>')


def on_config(config: Any) -> Any:
    """Fences named ``math`` hold formulas."""
    config.mdx_configs["pymdownx.superfences"] = {"custom_fences": [{"name": "math", "class": "formulas", "format": formulas.block}]}
    return config


def on_pre_build(config: Any) -> None:
    """Draw what is stale, in a process for each core, since most of the time goes into compiling, which takes one."""
    if ONLY_KEPT:
        return
    shares: list[list[str]] = [[] for _ in range(os.cpu_count() or 1)]
    for _, names in itertools.groupby(cache.stale(), key=cache.modules().get):  # figures of a module share what they draw
        min(shares, key=len).extend(names)
    draw = [sys.executable, "-m", "figures"]
    drawing = [subprocess.Popen([*draw, *share], cwd=Path(__file__).parent) for share in shares if share]
    ended = [process.wait() for process in drawing]
    if any(ended):
        raise PluginError("figures could not be drawn; the reason stands above")


def on_post_page(output: str, page: Any, config: Any) -> str:
    """The page with its figures, which the search index and the table of contents have not seen."""

    def drawn(found: re.Match[str]) -> str:
        name = found["name"]
        kept = OF_FINDINGS / f"{name}.html"
        if not kept.is_file():
            if name not in cache.modules():
                raise PluginError(f"{page.file.src_uri} shows the figure {name!r}, which no module of docs/figures draws")
            kept = cache.file_of(name)
        if ONLY_KEPT and not kept.exists():
            return f"<p><em>{found['caption']} (not drawn)</em></p>"
        return kept.read_text().replace("{{caption}}", html.escape(html.unescape(found["caption"])))

    return FIGURE.sub(drawn, output)
