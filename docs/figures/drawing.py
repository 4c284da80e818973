"""Panels by matplotlib, written as SVG that takes its colours and letters from the page: light, dark, wide and narrow.

A drawing is a few panels of one column's width each, so that a telephone shows them below one another and as large as a desk does. The key
is made of what the panels' artists are labelled with, and stands below them as text of the page.
"""

from __future__ import annotations

import functools
import html
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

INK, FAINT, PAPER = "#010101", "#8a8a8b", "#fefefe"
BLACK, BLUE, VERMILION, GREEN, PINK, ORANGE, SKY = "#020202", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"
"""The colours of Okabe and Ito (2008), which colour-blind readers can tell apart; lines differ in their dashes as well."""
COLOURS = (BLUE, VERMILION, GREEN, PINK, ORANGE, SKY, BLACK)
DASHES = ("solid", (0, (5, 2)), (0, (1.5, 1.5)), (0, (5, 1.5, 1, 1.5)), (0, (8, 3)), (0, (3, 1, 1, 1, 1, 1)), "solid")
MARKERS = ("o", "s", "^", "D", "X", "P", "v")

OF_THE_PAGE = {
    INK: "ink", FAINT: "faint", PAPER: "paper", BLACK: "black", BLUE: "blue", VERMILION: "vermilion", GREEN: "green", PINK: "pink",
    ORANGE: "orange", SKY: "sky",
}  # fmt: skip
"""Colours that the page's style sheet chooses, as ``--figure-NAME``; no other colour may look like one of these."""

CAPTION = "{{caption}}"

WIDTH, HEIGHT = 345, 250
"""Of a panel, in points: about a column of the page, where a point is a pixel."""

STYLE = {
    "svg.fonttype": "none", "font.size": 11, "axes.titlesize": 11.5, "axes.titleweight": "bold", "axes.labelsize": 11,
    "xtick.labelsize": 10, "ytick.labelsize": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": FAINT,
    "axes.labelcolor": INK, "axes.titlecolor": INK, "text.color": INK, "xtick.color": FAINT, "ytick.color": FAINT,
    "xtick.labelcolor": INK, "ytick.labelcolor": INK, "axes.grid": True, "grid.color": FAINT, "grid.alpha": 0.25, "grid.linewidth": 0.7,
    "axes.axisbelow": True, "lines.linewidth": 2.0, "lines.markersize": 5, "figure.constrained_layout.use": True,
    "axes.formatter.useoffset": False, "axes.unicode_minus": True, "axes.titlepad": 7,
}  # fmt: skip

mpl.rcParams.update(STYLE)


@dataclass(frozen=True)
class Drawing:
    """Panels, from left to right and on to the next row."""

    panels: Sequence[Axes]

    def html(self, name: str) -> str:
        """The drawing for a page, which puts its caption in the place of ``CAPTION``.

        Args:
            name: of the figure; makes the ids within its SVG unique.
        """
        pictures = "".join(_svg(axes, f"{name}-{number}") for number, axes in enumerate(self.panels))
        kind = "one" if len(self.panels) == 1 else "many"
        inside = f'<div class="panels {kind}">{pictures}</div>{_key(self.panels)}'
        caption = f'<figcaption id="{name}-caption">{CAPTION}</figcaption>'
        return f'<figure class="drawn" aria-labelledby="{name}-caption">{inside}{caption}</figure>'


def panel(title: str, x: str = "", y: str = "", *, height: float = HEIGHT, width: float = WIDTH) -> Axes:
    """Axes of a picture of their own.

    Args:
        title: of the panel.
        x: what the horizontal axis shows.
        y: what the vertical axis shows.
        height: in points.
        width: in points.
    """
    axes = Figure(figsize=(width / 72, height / 72)).subplots()
    axes.set(xlabel=x, ylabel=y)
    axes.set_title(title, loc="left")
    return axes


def look(number: int, **other: Any) -> dict[str, Any]:
    """How the line with a number looks: its colour and its dashes."""
    return {"color": COLOURS[number], "linestyle": DASHES[number], **other}


def is_log(axes: Axes, which: str = "y") -> None:
    """Give an axis a logarithmic scale, with powers of ten as a reader writes them."""
    for letter in which:
        getattr(axes, f"set_{letter}scale")("log")
        axis = getattr(axes, f"{letter}axis")
        axis.set_major_formatter(FuncFormatter(lambda value, _: power(value)))
        axis.set_minor_formatter(FuncFormatter(lambda value, _: ""))


def power(value: float) -> str:
    """A power of ten, short ones in full.

    Example:
        >>> power(0.01), power(1e-7), power(1000.0)
        ('0.01', '10⁻⁷', '1,000')
    """
    if 1e-3 <= value < 1e5:
        return f"{value:,.10g}"
    return "10" + str(round(np.log10(value))).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def contours(axes: Axes, cost: Callable[[Any, Any], Any], view: tuple[float, float, float, float], levels: int = 12) -> None:
    """Faint contours of a cost of two weights, denser near the lowest."""
    w1, w2 = np.linspace(*view[:2], 141), np.linspace(*view[2:], 141)
    height = np.asarray(cost(*np.meshgrid(w1, w2)))
    axes.contour(w1, w2, np.sqrt(height - height.min()), levels, colors=FAINT, linewidths=0.8, alpha=0.7)
    axes.set(xlim=view[:2], ylim=view[2:])
    axes.grid(visible=False)


def regions(axes: Axes, x: np.ndarray, y: np.ndarray, probability: np.ndarray) -> None:
    """The plane in the faint colours of the classes that are likeliest there, by ``[y, x, classes]``, with lines between them."""
    logarithm = np.log(np.maximum(probability, 1e-7))
    for number in range(probability.shape[-1]):
        lead = logarithm[..., number] - np.delete(logarithm, number, -1).max(-1)
        if lead.max() > 0:
            axes.contourf(x, y, lead, [0, np.inf], colors=COLOURS[number], alpha=0.2)
            axes.contour(x, y, lead, [0], colors=INK, linewidths=1)
    axes.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    axes.grid(visible=False)


def points(axes: Axes, x: np.ndarray, classes: np.ndarray, size: float = 14, names: Sequence[str] | None = None) -> None:
    """Rows ``[rows, 2]`` in the colours and markers of their classes."""
    for number in range(int(classes.max()) + 1):
        own = x[classes == number]
        label = names[number] if names else None
        axes.scatter(
            *own.T, s=size, color=COLOURS[number], marker=MARKERS[number], label=label, edgecolors=PAPER, linewidths=0.4
        )  # fmt: skip


def bare(axes: Axes) -> Axes:
    """Axes without anything that shows them: for what is not plotted against numbers."""
    axes.set_axis_off()
    return axes


def _svg(axes: Axes, name: str) -> str:
    """One panel as an element of a page."""
    written = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        axes.figure.savefig(written, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = written.getvalue()
    view = re.search(r'viewBox="([^"]+)"', text)
    body = re.search(r"<svg[^>]*>(.*)</svg>", text, re.DOTALL)
    assert view and body  # matplotlib's own
    inside = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", body[1], flags=re.DOTALL)
    inside = re.sub(r' id="(?!p[0-9a-f]{8}|m[0-9a-f]{8}|C\d|h[0-9a-f]{8}|image)[^"]*"', "", inside)
    inside = re.sub(r'font-family: [^;"]*', "font-family: var(--figure-font)", inside)
    inside = re.sub(r' transform="rotate\(-0 [^"]*"', "", inside)
    inside = re.sub(r">\s+<", "><", inside)
    inside = re.sub(r' (?:d|x|y)="[^"]+"', lambda found: re.sub(r"(\d+\.\d)\d+", r"\1", found[0]).replace("\n", ""), inside)
    title = html.escape(axes.get_title(loc="left") or name)
    return (
        f'<svg viewBox="{view[1]}" role="img" aria-labelledby="{name}-title {name}-desc" xmlns="http://www.w3.org/2000/svg" '
        f'xmlns:xlink="http://www.w3.org/1999/xlink"><title id="{name}-title">{title}</title>'
        f'<desc id="{name}-desc">{CAPTION}</desc>{_of_the_page(inside)}</svg>'
    )


def _of_the_page(text: str) -> str:
    """The same with the palette's colours left to the page."""
    return re.sub("|".join(OF_THE_PAGE), lambda found: f"var(--figure-{OF_THE_PAGE[found[0]]})", text)


def _key(panels: Sequence[Axes]) -> str:
    """What the labelled lines, points and areas of the panels mean, each once."""
    entries: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    items = (f"<li>{_of_the_page(_sample(handle))}{html.escape(label)}</li>" for label, handle in entries.items())
    return f'<ul class="key">{"".join(items)}</ul>' if entries else ""


@functools.singledispatch
def _sample(handle: Any) -> str:
    """A short piece of what an area or a group of points looks like."""
    colour = mpl.colors.to_hex(np.atleast_2d(handle[0].get_facecolor() if isinstance(handle, tuple) else handle.get_facecolor())[0][:3])
    alpha = handle[0].get_alpha() if isinstance(handle, tuple) else handle.get_alpha()
    if isinstance(handle, Patch) and not handle.get_fill():
        colour, pattern = mpl.colors.to_hex(handle.get_edgecolor()), handle._unscaled_dash_pattern[1]  # type: ignore[attr-defined]
        return f'<svg width="26" height="12" aria-hidden="true">{_stroke(colour, handle.get_linewidth(), pattern)}</svg>'
    if isinstance(handle, PathCollection):
        marks = _mark(handle.get_paths()[0], colour, alpha)
    else:
        marks = f'<rect x="4" y="1" width="18" height="10" fill="{colour}" fill-opacity="{alpha or 1}"/>'
    return f'<svg width="26" height="12" aria-hidden="true">{marks}</svg>'


@_sample.register
def _(handle: Line2D) -> str:
    colour, dashes = mpl.colors.to_hex(handle.get_color()), ""
    if handle.get_linestyle() not in ("None", ""):
        pattern = handle._unscaled_dash_pattern[1]  # type: ignore[attr-defined]  # there is no public name for it
        dashes = _stroke(colour, handle.get_linewidth(), pattern)
    style = MarkerStyle(handle.get_marker())
    mark = _mark(style.get_path().transformed(style.get_transform()), colour, handle.get_alpha()) if handle.get_marker() != "None" else ""
    return f'<svg width="26" height="12" aria-hidden="true">{dashes}{mark}</svg>'


def _stroke(colour: str, width: float, pattern: Sequence[float] | None) -> str:
    """A line across a sample."""
    array = f' stroke-dasharray="{" ".join(str(each * 2) for each in pattern)}"' if pattern else ""
    return f'<line x1="0" x2="26" y1="6" y2="6" stroke="{colour}" stroke-width="{width:g}"{array}/>'


def _mark(path: Any, colour: str, alpha: float | None) -> str:
    """A marker in the middle of a sample, 8 points across."""
    polygons = path.to_polygons()
    reach = max(np.abs(polygon).max() for polygon in polygons)
    corners = (" ".join(f"{13 + 4 * x / reach:.1f},{6 - 4 * y / reach:.1f}" for x, y in polygon) for polygon in polygons)
    return "".join(f'<polygon points="{each}" fill="{colour}" fill-opacity="{alpha or 1}"/>' for each in corners)
