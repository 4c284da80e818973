"""A hook of the site: where the words of a page may not be broken, and where long names may."""

from __future__ import annotations

import re
from typing import Any

PIECE = re.compile(r"<pre\b.*?</pre>|<math\b.*?</math>|<[^>]*>|[^<]+", re.DOTALL)
WHOLE = re.compile(r"(?<![\w-])--?[a-z][a-z-]*\b|\([^()]* ± [^()]*\)")
"""An option of a command, which a browser would break behind its dashes; a difference with the half of its interval."""
BEFORE_BRACKET = re.compile(r"(?<=</code>)\s+(?=\))")
"""What the API's pages have between the default of an argument and the bracket."""
PERCENT = re.compile(r"(?<=\d) (?=%)")
LONG_NAME = re.compile(r"\w{25,}")


def unbroken(html: str) -> str:
    """The page's text with what belongs together kept on one line, and names that are longer than a column free to break at a ``_``.

    Example:
        >>> unbroken("<p>with <code>--budget 5m</code></p>")
        '<p>with <code><span class="whole">--budget</span> 5m</code></p>'
        >>> unbroken("<td>0.13 (+0.04 ± 0.01)</td>")
        '<td>0.13 <span class="whole">(+0.04 ± 0.01)</span></td>'
        >>> unbroken("<p>95 % of them</p>")
        '<p>95&nbsp;% of them</p>'
        >>> unbroken("(<code>int</code>, default: <code>0</code> )")
        '(<code>int</code>, default: <code>0</code>)'
        >>> unbroken("<pre>shoal --help</pre>")
        '<pre>shoal --help</pre>'
        >>> unbroken("test_that_this_is_a_long_name")
        'test_<wbr>that_<wbr>this_<wbr>is_<wbr>a_<wbr>long_<wbr>name'
    """
    html = BEFORE_BRACKET.sub("", html)
    return PIECE.sub(lambda piece: piece[0] if piece[0].startswith("<") else _of_text(piece[0]), html)


def _of_text(text: str) -> str:
    text = PERCENT.sub("&nbsp;", text)
    text = LONG_NAME.sub(lambda name: name[0].replace("_", "_<wbr>"), text)
    return WHOLE.sub(lambda found: f'<span class="whole">{found[0]}</span>', text)


def on_page_content(html: str, page: Any, **kwargs: Any) -> str:
    """Called for each page, before its figures are put in."""
    return unbroken(html)
