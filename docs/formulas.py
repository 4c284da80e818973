"""Formulas, written in TeX in a fence named ``math`` and set as MathML when the site is built: no script, no font, no other host.

Each line is ``name | formula | source``, of which only the formula must be there::

    ```math
    he | W \\sim \\mathcal{N}(0, 2/n^{[l-1]}) | He et al. (2015)
    ```
"""

from __future__ import annotations

import html
import re
from typing import Any

from latex2mathml.converter import convert


def formula(tex: str) -> str:
    """TeX as MathML, with fractions and sums of full size.

    Example:
        >>> formula("a^2")[:5]
        '<math'
    """
    # norms are bars of one height; "+=" is one sign, which the converter takes for two
    plain = re.sub(r"\\[lr]Vert\b", r"\\|", tex.strip())
    written = convert(plain, display="block").replace('display="inline"', 'display="block"')
    written = re.sub(r"(?:<mo><mrow>)?<mo>(&#x0002B;|&#x02212;)</mo>(?:</mrow></mo>)?<mo>&#x0003D;</mo>", r"<mo>\1&#x0003D;</mo>", written)
    # the converter takes a plus-minus for a letter; words count as space, and a minus between spaces would get none of its own
    written = written.replace("<mi>&#x000B1;</mi>", "<mo>&#x000B1;</mo>")
    written = re.sub(r"<mtext>([^<]*)</mtext>(?=<mo>)", r"<mi>\1</mi>", written)
    return written.replace("<math ", '<math class="formula" ', 1)


def block(source: str, language: str, css_class: str, options: Any, md: Any, **other: Any) -> str:
    """A fence of formulas as lines of a page, for pymdownx.superfences."""
    return f'<div class="formulas" data-search-exclude="">{"".join(map(_line, filter(str.strip, source.splitlines())))}</div>'


def _line(text: str) -> str:
    """A line of a fence."""
    parts = [part.strip() for part in re.split(r" \| ", f" {text} ")]
    name, tex, note = {1: ["", *parts, ""], 2: [*parts, ""], 3: parts}[len(parts)]
    named = f"<code>{html.escape(name)}</code>" if name else ""
    noted = f"<small>{html.escape(note)}</small>" if note else ""
    return f'<div class="formula-line{" named" if name else ""}">{named}<span>{formula(tex)}</span>{noted}</div>'
