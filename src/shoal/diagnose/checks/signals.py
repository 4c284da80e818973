"""How activations and gradients pass through the layers: SH401 to SH499.

A disease of the start is judged before the first step, and its severity by whether it is still there half-way through the training:
an optimiser that scales every weight's step, such as Adam, often outgrows it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from shoal.diagnose.case import Case, Check, Outcome, Severity, about, plain
from shoal.diagnose.seeds import factor_over_seeds, seeds_to_settle
from shoal.diagnose.verdict import above
from shoal.interval import Interval, percent
from shoal.measurements import Signals
from shoal.measurements.signals import Series
from shoal.metrics import mean_interval

FEWEST_LAYERS = 3
"""Hidden layers from which a factor per layer means something."""
SHRINKING, GROWING = 0.5, 1.5
"""Factors per layer. Sound initialisations keep it near 1: he with ReLU at 1.0, with SiLU at 0.85, identity at 1.4, batch norm with
ReLU at 1.2 (all measured with 6 to 8 layers on real tables); xavier with SiLU, which trains well all the same, at 0.55."""
SHRUNK, GROWN = 1 / 30, 10.0
"""And factors over all hidden layers: in few layers even a small factor each does no harm."""
MANY_DEAD, NEARLY_ALL = 0.5, 0.9
SATURATED = 0.5
FITTED = 0.1
"""A network that has brought its cost below this share of the first is not held back by flat units: sure answers are large, and flat."""
ALIKE = 0.9
SURE = 5.0
"""Root mean square of the outputs before the first step: a logit of 5 is a probability of 99 %, before anything was learned."""
LITTLE_KEPT = 0.5
"""Dropout makes signals ``1/sqrt(keep_prob)`` times larger at each layer; below this, sound weights may look too large."""
SMALLEST, LARGEST = 1e-30, 1e30
"""What stands for a signal that is 0, and for one that is not finite before anything was learned."""
SATURATING = ("tanh", "sigmoid")


def _measured(look: Callable[[Case, tuple[Signals, ...]], Outcome | None]) -> Callable[[Case], Outcome | None]:
    """A check that needs signals, and those of two networks at least to be sure of anything."""

    def check(case: Case) -> Outcome | None:
        if not case.measured.signals:
            return Outcome("No signals through the layers were measured.", {}, "not applicable")
        seen = look(case, case.measured.signals)
        if seen is None or seen.outcome != "found" or len(case.measured.signals) > 1:
            return seen
        text = f"{seen.text} This is one network; 1 more random seed would tell whether it is chance."
        return replace(seen, text=text, outcome="cannot tell")

    return check


def per_layer(series: Series, moment: int) -> float | None:
    """The factor by which a signal changes from one hidden layer to the next towards the output, at one moment.

    Args:
        series: of a network with two hidden layers at least.
        moment: its position in the record; before the first step (0) a signal that is not finite is a very large one.

    Returns:
        The geometric mean over the hidden layers; ``None`` where it is not known; 1 where no signal arrives at all.

    Example:
        >>> per_layer(((1.0, 0.5, 0.25, 7.0),), 0)
        0.5
    """
    unknown = LARGEST if moment == 0 else None
    first, last = (unknown if value is None else max(value, SMALLEST) for value in (series[moment][0], series[moment][-2]))
    if first is None or last is None:
        return None
    return (last / first) ** (1 / (len(series[moment]) - 2))


def _vanishing(case: Case, signals: tuple[Signals, ...]) -> Outcome | None:
    layers = _hidden_layers(signals)
    if layers < FEWEST_LAYERS:
        return _too_few(layers)
    limit = min(SHRINKING, SHRUNK ** (1 / (layers - 1)))
    factor = _backward(signals, 0)
    if factor is None or factor.low >= limit:
        return None
    later = _backward(signals, len(signals[0].steps) // 2)
    evidence = {"factor": plain(factor), "factor_in_training": later and plain(later), "layers": layers, "limit": limit}
    if factor.high >= limit:
        return _open("the gradient's factor per layer", factor, limit, signals, evidence)
    severity: Severity = "medium" if later is None else "high" if later.high < limit else "low" if later.low >= limit else "medium"
    text = (
        f"Before the first step the gradient is multiplied by {_span(factor)} from one hidden layer to the next on its way back, "
        f"and by {_span(_power(factor, layers - 1))} over all {layers}. {_afterwards(later, severity, 'low')}"
    )
    return Outcome(text, evidence, severity=severity)


def _exploding(case: Case, signals: tuple[Signals, ...]) -> Outcome | None:
    layers = _hidden_layers(signals)
    if layers < FEWEST_LAYERS:
        return _too_few(layers)
    if (inflated := _inflated(case)) is not None:
        return inflated
    limit = max(GROWING, GROWN ** (1 / (layers - 1)))
    ways = {"gradient": _backward, "activation": _forward}
    sizes = {name: size for name, way in ways.items() if (size := way(signals, 0)) is not None}
    if not sizes:
        return None
    name = max(sizes, key=lambda each: sizes[each].low)
    size, later = sizes[name], ways[name](signals, len(signals[0].steps) // 2)
    if size.high <= limit:
        return None
    evidence = {f"{each}_factor": plain(sizes[each]) for each in sizes}
    evidence |= {"factor_in_training": later and plain(later), "layers": layers, "limit": limit}
    if size.low <= limit:
        return _open(f"the {name}'s factor per layer", size, limit, signals, evidence)
    severity: Severity = "medium" if later is not None and later.high < limit else "high"
    way = "back" if name == "gradient" else "forward"
    text = (
        f"Before the first step the {name} is multiplied by {_span(size)} from one hidden layer to the next on its way {way}, "
        f"and by {_span(_power(size, layers - 1))} over all {layers}. {_afterwards(later, severity, 'medium')}"
    )
    return Outcome(text, evidence, severity=severity)


def _dead(case: Case, signals: tuple[Signals, ...]) -> Outcome | None:
    if case.recipe is not None and case.recipe.activation in SATURATING:
        return Outcome(f"Units of {case.recipe.activation} saturate; they do not die.", {}, "not applicable")
    if above(_twins(signals), ALIKE) == "yes":
        return None  # they are dead because they never parted: SH405
    share = mean_interval([_worst(each.dead[-1]) for each in signals])
    if above(share, MANY_DEAD) == "no":
        return None
    if _has_fitted(signals):
        return None
    begin = mean_interval([_worst(each.dead[0]) for each in signals])
    evidence = {"share": plain(share), "share_before_training": plain(begin), "networks": len(signals)}
    if above(share, MANY_DEAD) == "cannot tell":
        return _open("the share of dead units", share, MANY_DEAD, signals, evidence)
    text = (
        f"Late in the training {_share(share)} of the units of one hidden layer have no slope on any of the rows looked at, so that "
        f"they learn nothing any more; before the first step it was {_share(begin)}."
    )
    return Outcome(text, evidence, severity="high" if share.low > NEARLY_ALL else "medium")


def _saturated(case: Case, signals: tuple[Signals, ...]) -> Outcome | None:
    if case.recipe is None or case.recipe.activation not in SATURATING:
        name = "unknown" if case.recipe is None else case.recipe.activation
        return Outcome(f"The activation is {name}, which does not saturate on both sides.", {}, "not applicable")
    begin, end = (mean_interval([_worst(each.saturated[moment]) for each in signals]) for moment in (0, -1))
    # a network that grows sure of its answers saturates slowly; one that steps too far does so at once, and stays so
    lasting = mean_interval([min(_worst(each.saturated[min(1, len(each.steps) - 1)]), _worst(each.saturated[-1])) for each in signals])
    share = begin if _has_fitted(signals) else max(begin, lasting, key=lambda each: each.low)
    if above(share, SATURATED) == "no":
        return None
    evidence = {"share": plain(end), "share_before_training": plain(begin), "networks": len(signals)}
    if above(share, SATURATED) == "cannot tell":
        return _open("the share of saturated answers", share, SATURATED, signals, evidence)
    text = (
        f"Of one hidden layer's answers {_share(begin)} lie where the activation is flat before the first step, and {_share(end)} late "
        "in the training."
    )
    return Outcome(text, evidence, severity="high" if share.low > NEARLY_ALL else "medium")


def _alike(case: Case, signals: tuple[Signals, ...]) -> Outcome | None:
    share = _twins(signals)
    if above(share, ALIKE) == "no":
        return None
    evidence = {"share": plain(share), "networks": len(signals)}
    if above(share, ALIKE) == "cannot tell":
        return _open("the share of units alike", share, ALIKE, signals, evidence)
    text = (
        f"In one hidden layer {_share(share)} of the units have the same incoming weights as another unit, before the first step and "
        "still late in the training: they get the same gradient and do the work of one."
    )
    return Outcome(text, evidence)


def _too_large(case: Case, signals: tuple[Signals, ...]) -> Outcome | None:
    if (inflated := _inflated(case)) is not None:
        return inflated
    outputs = _size_over_seeds([_known(each.activation[0][-1]) for each in signals])
    if above(outputs, SURE) == "no":
        return None
    cost = factor_over_seeds([_known(each.loss[0]) for each in signals])
    evidence = {"outputs": plain(outputs), "cost_before_training": plain(cost), "networks": len(signals)}
    if above(outputs, SURE) == "cannot tell":
        return _open("the size of the first outputs", outputs, SURE, signals, evidence)
    text = (
        f"Before the first step the outputs have a root mean square of {_span(outputs)}, where sound initial weights give about 1, and "
        f"the cost is {_span(cost)}."
    )
    return Outcome(text, evidence)


def _hidden_layers(signals: Sequence[Signals]) -> int:
    return len(signals[0].backward[0]) - 1


def _too_few(layers: int) -> Outcome:
    return Outcome(f"A factor per layer needs at least {FEWEST_LAYERS} hidden layers; there are {layers}.", {}, "not applicable")


def _inflated(case: Case) -> Outcome | None:
    if case.recipe is None or min(case.recipe.keep_probs) >= LITTLE_KEPT:
        return None
    return Outcome("Dropout this strong makes the signals large by itself.", {}, "not applicable")


def _backward(signals: Sequence[Signals], moment: int) -> Interval | None:
    """The gradient's factor per layer, towards the inputs."""
    known = [factor for each in signals if (factor := per_layer(each.backward, moment)) is not None]
    return factor_over_seeds([1 / factor for factor in known]) if known else None


def _forward(signals: Sequence[Signals], moment: int) -> Interval | None:
    """The activation's, towards the output."""
    known = [factor for each in signals if (factor := per_layer(each.activation, moment)) is not None]
    return factor_over_seeds(known) if known else None


def _twins(signals: Sequence[Signals]) -> Interval:
    """The share of units that were alike from the first moment to the last; units that a penalty took all weights from became so."""

    def of(network: Signals) -> float:
        both = zip(network.alike[0], network.alike[-1], strict=True)
        return _worst([None if begin is None or end is None else min(begin, end) for begin, end in both])

    return mean_interval([of(each) for each in signals])


def _has_fitted(signals: Sequence[Signals]) -> bool:
    """Whether the networks have brought the cost near to 0 on the rows looked at."""
    costs = [(each.loss[0], each.loss[-1]) for each in signals]
    if any(first is None or last is None or first <= 0 for first, last in costs):
        return False
    return factor_over_seeds([(last or 0.0) / (first or 1.0) for first, last in costs]).high < FITTED


def _worst(layers: Sequence[float | None]) -> float:
    """The largest share among the hidden layers; a layer whose numbers are not finite any more counts as healthy here."""
    return max((value for value in layers[:-1] if value is not None), default=0.0)


def _known(value: float | None) -> float:
    return LARGEST if value is None else max(value, SMALLEST)


def _size_over_seeds(values: Sequence[float]) -> Interval:
    """A size's mean over seeds: geometric for large ones; how near to 0 a small one is says nothing, so 1 is added to the squares."""
    grown = factor_over_seeds([math.hypot(1.0, value) for value in values])
    return Interval(*(math.sqrt(max(value**2 - 1, 0.0)) for value in (grown.value, grown.low, grown.high)))


def _afterwards(later: Interval | None, severity: Severity, recovered: Severity) -> str:
    if later is None:
        return "Half-way through the training it is not finite any more."
    outgrown = "; the training has outgrown it, at the cost of its first steps" if severity == recovered else ""
    return f"Half-way through the training the factor is {_span(later)}{outgrown}."


def _open(what: str, size: Interval, limit: float, signals: Sequence[Signals], evidence: dict) -> Outcome:
    is_share = "share" in what
    # a factor's interval is one of its logarithm
    logs = Interval(*(math.log(max(value, SMALLEST)) for value in (size.value, size.low, size.high)))
    scaled, mark = (size, limit) if is_share else (logs, math.log(limit))
    told = _share(size) if is_share else _span(size)
    text = f"{what[0].upper()}{what[1:]}, {told}, may lie on either side of {limit:.2g}. {seeds_to_settle(scaled, mark, len(signals))}"
    return Outcome(text, evidence, "cannot tell")


def _power(size: Interval, exponent: int) -> Interval:
    return Interval(*(value**exponent for value in (size.value, size.low, size.high)))


def _span(size: Interval) -> str:
    return f"{about(size.value)} ({about(size.low)} to {about(size.high)})"


def _share(size: Interval) -> str:
    return percent(Interval(size.value, max(size.low, 0), min(size.high, 1)), 0)


CHECKS: tuple[Check, ...] = (
    Check(
        "SH401",
        "Vanishing gradients",
        "high",
        f"factor per hidden layer below {SHRINKING:g}, and over all of them below 1/{1 / SHRUNK:.0f}, before the first step; high where it "
        "stays so, low where the training outgrows it",
        "Glorot and Bengio 2010: a sound initialisation keeps the factor at 1; limits beyond what sound networks show on real tables",
        "Initialise with he (ReLU and its kin), xavier (tanh) or lsuv at a gain of 1, replace sigmoid by silu or relu, use batch or layer "
        "norm, or fewer layers.",
        _measured(_vanishing),
    ),
    Check(
        "SH402",
        "Exploding gradients",
        "high",
        f"factor per hidden layer above {GROWING:g}, and over all of them above {GROWN:g}, before the first step; medium where the "
        "training outgrows it",
        "Glorot and Bengio 2010; Pascanu, Mikolov and Bengio 2013; limits beyond what sound networks show on real tables",
        "Initialise with xavier or he at a gain of 1, clip the gradient's norm, or use batch or layer norm.",
        _measured(_exploding),
    ),
    Check(
        "SH403",
        "Dead units",
        "medium",
        f"share of a hidden layer above {percent(MANY_DEAD, 0)} late in the training, where the cost is above {percent(FITTED, 0)} of the "
        f"first; high from {percent(NEARLY_ALL, 0)}",
        "Maas, Hannun and Ng 2013; our limits: sound networks on real tables show up to a third",
        "Lower the learning rate, or use leaky_relu or silu, which keep a slope below 0.",
        _measured(_dead),
    ),
    Check(
        "SH404",
        "Saturated units",
        "medium",
        f"share of a hidden layer's answers above {percent(SATURATED, 0)}, before the first step, or both early and late in the training "
        f"where the cost is above {percent(FITTED, 0)} of the first; high from {percent(NEARLY_ALL, 0)}",
        "Glorot and Bengio 2010; the limits are our convention",
        "Where it begins so, initialise with xavier at a gain of 1 and normalise the inputs; where it becomes so, lower the learning rate. "
        "Batch norm or another activation help against both.",
        _measured(_saturated),
    ),
    Check(
        "SH405",
        "Units that never part",
        "high",
        f"share of a hidden layer above {percent(ALIKE, 0)}, before the first step and late in the training",
        "units that start alike get the same gradient for ever (Goodfellow, Bengio and Courville 2016, section 8.4)",
        "Draw the initial weights at random: he, xavier, glorot, orthogonal or lsuv, never zeros.",
        _measured(_alike),
    ),
    Check(
        "SH406",
        "Initial weights far too large",
        "high",
        f"root mean square of the outputs before the first step above {SURE:g}",
        "a logit of 5 is a probability of 99 %, and a standardised value of 5 a rarity, before anything was learned",
        "Initialise with xavier or he at a gain of 1.",
        _measured(_too_large),
    ),
)
