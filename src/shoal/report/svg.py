"""Pictures without a script: the same specifications that Plotly draws, as SVG inside the page.

Lines stretch with the page while words and marks keep their size: places are shares of the picture's width and height. The subset that is
drawn is what the pictures of the report use: lines, marks, upright lines and their labels, on plain and logarithmic axes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

from shoal.report.drawing import Figure, Spec
from shoal.report.wording import number

TICKS = 5
SIGNS = {"star": "★", "x": "✕", "x-thin-open": "✕", "diamond": "◆", "diamond-open": "◇", "circle-open": "○", "circle-open-dot": "◌"}
"""Of Plotly's symbols; any other is a dot."""
DASHES = {"dot": "1 3", "dash": "4 4"}


def drawn(figure: Figure) -> Markup:
    """A picture as an SVG element in a box that leaves room for the labels of its axes.

    Args:
        figure: of lines and marks.

    Example:
        >>> line = {"type": "scatter", "mode": "lines", "x": [1, 2], "y": [3, 4], "line": {"color": "--accent", "width": 1}}
        >>> drawn(Figure("a", "A line.", 100, [line], {"xaxis": {}, "yaxis": {}, "margin": {}})).count("<path")
        1
    """
    margin = {"l": 52, "r": 14, "t": 12, "b": 44} | figure.layout["margin"]
    across = _Axis(figure.layout["xaxis"], [x for trace in figure.data for x in trace["x"]])
    up = _Axis(figure.layout["yaxis"], [y for trace in figure.data for y in trace["y"]])
    curves = [each for trace in figure.data if trace["mode"] == "lines" for each in _curve(trace, across, up)]
    marks = [each for trace in figure.data if trace["mode"] == "markers" for each in _marks(trace, across, up)]
    height = figure.height - margin["t"] - margin["b"]
    box = f"margin:{margin['t']}px {margin['r']}px {margin['b']}px {margin['l']}px"
    return Markup(
        '<div class="drawn" style="{}"><svg role="img" aria-label="{}" width="100%" height="{}" overflow="visible" font-size="12" '
        'fill="currentColor">{}<svg width="100%" height="100%" viewBox="0 0 1000 1000" preserveAspectRatio="none" fill="none">{}</svg>{}'
        "</svg></div>"
    ).format(box, figure.alternative, height, _frame(figure.layout, across, up, height), Markup().join(curves), Markup().join(marks))


class _Axis:
    """Where a value lies on an axis, as a share of its length, and its ticks."""

    def __init__(self, spec: Spec, values: Sequence[float | None]) -> None:
        known = [value for value in values if value is not None]
        self._is_log = spec.get("type") == "log"
        self._low, self._high = spec.get("range") or (min(known, default=0.0), max(known, default=1.0))
        self.title = spec.get("title", {}).get("text", "")
        self.ticks = list(zip(spec["tickvals"], spec["ticktext"], strict=True)) if "tickvals" in spec else self._round_ticks()

    def share(self, value: float) -> float:
        """From 0 at the low end to 1 at the high one; beyond them where the value is."""
        place = math.log10(value) if self._is_log and value > 0 else -math.inf if self._is_log else value
        return min(max((place - self._low) / ((self._high - self._low) or 1.0), -1.0), 2.0)

    def _round_ticks(self) -> list[tuple[float, str]]:
        step = 10.0 ** math.floor(math.log10((self._high - self._low) or 1.0))
        step = next((each for each in (step / 5, step / 2, step, 2 * step) if (self._high - self._low) / each <= TICKS), 5 * step)
        first, last = math.ceil(self._low / step), math.floor(self._high / step)
        return [(count * step, number(count * step, 6)) for count in range(first, last + 1)]


def _frame(layout: Spec, across: _Axis, up: _Axis, height: float) -> Markup:
    """Grid, ticks, titles and upright lines."""
    drawn = [_line(0, up.share(value), 1, up.share(value), "--rule") for value, _ in up.ticks]
    drawn += [_line(across.share(value), 0, across.share(value), 1, "--rule") for value, _ in across.ticks]
    for shape in layout.get("shapes", []):
        x = across.share(shape["x0"])
        drawn.append(_line(x, 0, x, 1, shape["line"]["color"], shape["line"].get("dash", "")))
    muted = "fill:var(--muted,#6b7885)"
    drawn += [_text(0, up.share(value), text, "end", -6, 4, muted) for value, text in up.ticks]
    drawn += [_text(across.share(value), 0, text, "middle", 0, 18, muted) for value, text in across.ticks]
    drawn.append(_text(0.5, 0, across.title, "middle", 0, 36))
    turned = Markup('<text transform="translate(-40 {}) rotate(-90)" text-anchor="middle">{}</text>')
    drawn.append(turned.format(height / 2, up.title))
    for label in layout.get("annotations", []):
        x = across.share(10 ** label["x"] if across._is_log else label["x"])  # Plotly places a label at the logarithm
        drawn.append(_text(x, 1, label["text"], "middle", 0, -5, muted))
    return Markup().join(drawn)


def _line(x0: float, y0: float, x1: float, y1: float, colour: str, dash: str = "") -> Markup:
    place = Markup('<line x1="{:.2f}%" y1="{:.2f}%" x2="{:.2f}%" y2="{:.2f}%" style="{}"{}/>')
    dashes = Markup(' stroke-dasharray="{}"').format(DASHES[dash]) if dash else ""
    return place.format(100 * x0, 100 - 100 * y0, 100 * x1, 100 - 100 * y1, f"stroke:{_paint(colour)}", dashes)


def _text(x: float, y: float, text: str, anchor: str, right: float, down: float, style: str = "") -> Markup:
    place = Markup('<text x="{:.2f}%" y="{:.2f}%" dx="{}" dy="{}" text-anchor="{}" style="{}">{}</text>')
    return place.format(100 * x, 100 - 100 * y, right, down, anchor, style, text)


def _curve(trace: Spec, across: _Axis, up: _Axis) -> list[Markup]:
    """One line, with a gap wherever a value is missing, and its words for who points at it."""
    points, pen = [], "M"
    for x, y in zip(trace["x"], trace["y"], strict=True):
        if y is None:
            pen = "M"
            continue
        points.append(f"{pen}{1000 * across.share(x):.0f} {1000 - 1000 * up.share(y):.0f}")
        pen = "L"
    if not points:
        return []
    line = trace["line"]
    dash = Markup(' stroke-dasharray="{}"').format(DASHES[line["dash"]]) if "dash" in line else ""
    path = Markup('<path d="{}" style="stroke:{}" stroke-width="{}" vector-effect="non-scaling-stroke" opacity="{}"{}>{}</path>')
    return [path.format("".join(points), _paint(line["color"]), line["width"], trace.get("opacity", 1), dash, _title(trace))]


def _title(trace: Spec) -> Markup:
    # what Plotly shows beside the pointer, as plain text; it is escaped for Plotly already
    words = str(trace.get("hovertemplate", "")).partition("<br>step ")[0].replace("<b>", "").replace("</b>", "").replace("<br>", "\n")
    return Markup("<title>{}</title>").format(Markup(words)) if words else Markup()


def _marks(trace: Spec, across: _Axis, up: _Axis) -> list[Markup]:
    marker = trace["marker"]
    style = f"fill:{_paint(marker['color'])};font-size:{1.2 * marker['size']:.0f}px"
    sign = SIGNS.get(marker.get("symbol", ""), "●")
    drop = 0.4 * marker["size"]
    return [
        _text(across.share(x), up.share(y), sign, "middle", 0, drop, style)
        for x, y in zip(trace["x"], trace["y"], strict=True)
        if y is not None
    ]


def _paint(colour: str) -> str:
    return f"var({escape(colour)})" if colour.startswith("--") else colour
