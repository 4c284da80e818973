"""A hook of the site: no page may ask another host for a script, a style, a font or a picture."""

from __future__ import annotations

import re
from typing import Any

ASSET = re.compile(
    r"""<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc=["']?(?:https?:)?//[^"'\s>]*"""
    r"""|<link\b(?=[^>]*\brel=["']?(?:stylesheet|preconnect|preload|icon))[^>]*\bhref=["']?(?:https?:)?//[^"'\s>]*"""
    r"""|@import\s+["'](?:https?:)?//[^"']*"""
    r"""|url\(["']?(?:https?:)?//[^)]*""",
    re.IGNORECASE,
)


def foreign_assets(html: str) -> list[str]:
    """What a page would fetch from elsewhere.

    Example:
        >>> foreign_assets('<img src="images/a.png"> <a href="https://example.org">a link is no asset</a>')
        []
        >>> foreign_assets('<script src="https://example.org/a.js"></script>')
        ['<script src="https://example.org/a.js']
    """
    return ASSET.findall(html)


def on_post_page(output: str, page: Any, **kwargs: Any) -> str:
    """Called for each page that was made."""
    if found := foreign_assets(output):
        raise ValueError(f"{page.file.src_uri} asks another host for {', '.join(found)}; keep a copy in docs/ instead")
    return output
