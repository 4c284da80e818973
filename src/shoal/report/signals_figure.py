"""The pictures of how signals pass through the final networks: norms layer by layer over the training, and what the units do."""

from __future__ import annotations

import math
from statistics import median

from shoal.measurements import Signals
from shoal.records import Run
from shoal.report.drawing import Figure, Key, Spec, five_digits, log_axis
from shoal.report.wording import number

NORMS = {
    "activation": "activations, root mean square",
    "gradient": "gradients of the weights, norm",
    "update": "updates, share of the weights",
}
"""What is drawn, by the name of the measurement."""
UNITS = {"dead": ("dead", "--bad"), "saturated": ("saturated", "--unsure"), "alike": ("like another unit", "--second")}
"""Shares of units: what they are called, and their colour."""
LOOKS = (
    ("circle", "●", "--accent"), ("square", "■", "--second"), ("diamond", "◆", "--ok"), ("triangle-up", "▲", "--unsure"),
    ("cross", "✚", "--muted"),
)  # fmt: skip
"""Of the hidden layers, by turns: Plotly's symbol, its sign and colour."""
OUTPUT = ("x", "✖", "--bad")


def signal_figures(run: Run) -> list[Figure]:
    """Activations, gradients and updates of each layer against the step, on logarithmic axes, and the units that do nothing."""
    found = run.measured.signals
    if not found or not found[0].steps:
        return []
    drawn = [(_norms if len(found[0].steps) > 1 else _norms_once)(found, name, axis) for name, axis in NORMS.items()]
    return [figure for figure in (*drawn, _units(found)) if figure is not None]


def signals_key(run: Run) -> tuple[Key, ...]:
    """The layers, as the pictures of the norms have them."""
    found = run.measured.signals
    return (
        tuple(Key(_look(layer, found[0])[1], _look(layer, found[0])[2], name) for layer, name in enumerate(layer_names(found)))
        if found
        else ()
    )


def signal_rows(run: Run) -> list[tuple[str, str, list[str]]]:
    """Step, layer, and each measurement: the median over the seeds."""
    found = run.measured.signals
    if not found:
        return []
    return [
        (f"{step:,}", name, [number(_over_seeds(found, measured, moment, layer)[1], 3) for measured in (*NORMS, *UNITS)])
        for moment, step in enumerate(found[0].steps)
        for layer, name in enumerate(layer_names(found))
    ]


def layer_names(found: tuple[Signals, ...]) -> list[str]:
    """What the layers are called.

    Example:
        >>> row = ((1.0, 2.0, 3.0),)
        >>> layer_names((Signals((0,), (0.7,), row, row, row, row, row, row, row, row),))
        ['layer 1', 'layer 2', 'output']
    """
    hidden = len(found[0].activation[0]) - 1
    return [*(f"layer {number}" for number in range(1, hidden + 1)), "output"]


def _look(layer: int, one: Signals) -> tuple[str, str, str]:
    return OUTPUT if layer == len(one.activation[0]) - 1 else LOOKS[layer % len(LOOKS)]


def _over_seeds(found: tuple[Signals, ...], name: str, moment: int, layer: int) -> tuple[float | None, float | None, float | None]:
    """Lowest, median and highest value over the networks that have one at this moment."""
    values = [getattr(each, name)[moment][layer] for each in found if moment < len(getattr(each, name))]
    known = [value for value in values if value is not None and math.isfinite(value)]
    return (min(known), median(known), max(known)) if known else (None, None, None)


def _norms(found: tuple[Signals, ...], name: str, axis: str) -> Figure | None:
    steps, layers = found[0].steps, layer_names(found)
    data: list[Spec] = []
    shown: list[float] = []
    for layer, layer_name in enumerate(layers):
        spans = [_over_seeds(found, name, moment, layer) for moment in range(len(steps))]
        # 0 has no place on a logarithmic axis
        middles = [middle if middle else None for _, middle, _ in spans]
        shown += [middle for middle in middles if middle]
        symbol, _, colour = _look(layer, found[0])
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "x": list(steps),
                "y": [five_digits(middle) for middle in middles],
                "line": {"color": colour, "width": 1.6, "dash": "solid" if layer < len(LOOKS) or layer == len(layers) - 1 else "dot"},
                "marker": {"symbol": symbol, "size": 8, "color": colour},
                "text": [_hover(layer_name, step, span) for step, span in zip(steps, spans, strict=True)],
                "hoverinfo": "text",
                "cliponaxis": False,
            }
        )
    if not shown:
        return None
    margin = 0.04 * max(steps[-1], 1)
    layout: Spec = {
        "xaxis": {"title": {"text": "step"}, "range": [-margin, max(steps[-1], 1) + margin], "nticks": 5, "rangemode": "nonnegative"},
        "yaxis": {"title": {"text": axis}} | _log_axis(shown),
        "margin": {"l": 52, "r": 12, "t": 12, "b": 44},
    }
    ends = [_over_seeds(found, name, moment, layer)[1] for moment in (0, -1 % len(steps)) for layer in (0, len(layers) - 1)]
    words = (
        f"{axis.capitalize()}, layer by layer against the step: before the training {number(ends[0], 3)} in the first layer and "
        f"{number(ends[1], 3)} in the last, at the end {number(ends[2], 3)} and {number(ends[3], 3)}."
    )
    return Figure(f"signals-{name}", words, 270, data, layout)


def _norms_once(found: tuple[Signals, ...], name: str, axis: str) -> Figure | None:
    """By layer, where there is one moment only."""
    layers, step = layer_names(found), found[0].steps[0]
    spans = [_over_seeds(found, name, 0, layer) for layer in range(len(layers))]
    shown = [middle for _, middle, _ in spans if middle]
    if not shown:
        return None
    looks = [_look(layer, found[0]) for layer in range(len(layers))]
    marks = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": list(range(len(layers))),
        "y": [five_digits(middle or None) for _, middle, _ in spans],
        "line": {"color": "--rule", "width": 1.6},
        "marker": {"symbol": [symbol for symbol, _, _ in looks], "size": 9, "color": [colour for _, _, colour in looks]},
        "text": [_hover(layer, step, span) for layer, span in zip(layers, spans, strict=True)],
        "hoverinfo": "text",
        "cliponaxis": False,
    }
    layout: Spec = {
        "xaxis": _layer_axis(layers),
        "yaxis": {"title": {"text": axis}} | _log_axis(shown),
        "margin": {"l": 52, "r": 12, "t": 12, "b": 44},
    }
    said = "; ".join(f"{layer} {number(middle, 3)}" for layer, (_, middle, _) in zip(layers, spans, strict=True))
    return Figure(f"signals-{name}", f"{axis.capitalize()}, by layer at step {step:,}: {said}.", 270, [marks], layout)


def _log_axis(shown: list[float]) -> Spec:
    """At least a factor of 4 from end to end: next to equal values are to look so."""
    low, high = min(shown), max(shown)
    wider = max(4 / (high / low), 1.0) ** 0.5
    return log_axis(low / wider, high * wider, ticks=6)


def _layer_axis(layers: list[str]) -> Spec:
    few = len(layers) <= 5
    return {
        "title": {"text": "" if few else "layer"},
        "tickvals": list(range(len(layers))),
        "ticktext": layers if few else [layer.removeprefix("layer ") for layer in layers],
        "range": [-0.5, len(layers) - 0.5],
        "showgrid": False,
    }


def _hover(layer: str, step: int, span: tuple[float | None, float | None, float | None]) -> str:
    low, middle, high = span
    return f"<b>{layer}</b>, step {step:,}<br>{number(middle, 3)} ({number(low, 3)} to {number(high, 3)} over the networks)"


def _units(found: tuple[Signals, ...]) -> Figure | None:
    """Of each hidden layer, the shares that are not 0 throughout: bars at the last moment, rings at the first."""
    layers, last = layer_names(found)[:-1], len(found[0].steps) - 1
    shares = {
        name: [[_percent(_over_seeds(found, name, moment, layer)[1]) for layer in range(len(layers))] for moment in (0, last)]
        for name in UNITS
    }
    drawn = [name for name in UNITS if any(share for moment in shares[name] for share in moment)]
    if not drawn:
        return None
    data: list[Spec] = []
    room = min(0.78 / len(drawn), 0.3)
    for place, name in enumerate(drawn):
        words, colour = UNITS[name]
        middles = [layer + (place - (len(drawn) - 1) / 2) * room for layer in range(len(layers))]
        begins, ends = shares[name]
        data.append(
            {
                "type": "bar",
                "x": middles,
                "y": ends,
                "width": 0.9 * room,
                "marker": {"color": colour},
                "text": [f"<b>{layer}</b>: {number(end, 3)} % {words}" for layer, end in zip(layers, ends, strict=True)],
                "hoverinfo": "text",
                "textposition": "none",
            }
        )
        if last:
            data.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "x": middles,
                    "y": begins,
                    "marker": {"symbol": "circle-open", "size": 8, "color": "--ink", "line": {"width": 1.6}},
                    "text": [f"<b>{layer}</b>: {number(begin, 3)} % {words} before" for layer, begin in zip(layers, begins, strict=True)],
                    "hoverinfo": "text",
                    "cliponaxis": False,
                }
            )
    highest = max(share for name in drawn for moment in shares[name] for share in moment if share is not None)
    layout: Spec = {
        "xaxis": _layer_axis(layers),
        "yaxis": {"title": {"text": "units, %"}, "range": [0, max(1.08 * highest, 5.0)]},
        "margin": {"l": 52, "r": 12, "t": 12, "b": 44},
    }
    key = [Key("■", UNITS[name][1], UNITS[name][0]) for name in drawn] + ([Key("○", "--ink", "before the training")] if last else [])
    most = {name: max((share for share in shares[name][1] if share is not None), default=0.0) for name in UNITS}
    said = "; ".join(f"{UNITS[name][0]} at most {number(share, 3)} %" for name, share in most.items())
    return Figure("signals-units", f"Share of the units of each hidden layer: {said}.", 270, data, layout, tuple(key))


def _percent(share: float | None) -> float | None:
    return None if share is None else five_digits(100 * share)
