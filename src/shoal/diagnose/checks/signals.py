"""How activations and gradients pass through the layers: SH401 to SH499."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from shoal.diagnose.case import Case, Check, Outcome, Severity, plain
from shoal.diagnose.seeds import factor_over_seeds, over_seeds, seeds_to_settle
from shoal.diagnose.verdict import above
from shoal.interval import Interval
from shoal.measurements import Signals
from shoal.measurements.signals import Series

FEWEST_LAYERS = 3
"""Hidden layers from which a factor per layer means something."""
SHRINKING, GROWING = 0.5, 1.5
"""Factors per layer. He and Xavier initialisation keep it at 1; beyond these, ten layers change a gradient 60- to 1,000-fold."""
MANY_DEAD, NEARLY_ALL = 0.5, 0.9
SATURATED = 0.5
ALIKE = 0.9
SURE = 5.0
"""Root mean square of the outputs before the first step: a logit of 5 is a probability of 99 %, before anything was learned."""
LITTLE_KEPT = 0.5
SATURATING = ("tanh", "sigmoid")


def _measured(look: Callable[[Case, tuple[Signals, ...]], Outcome | None]) -> Callable[[Case], Outcome | None]:
    """A check that needs signals."""

    def check(case: Case) -> Outcome | None:
        if not case.measured.signals:
            return Outcome("No signals through the layers were measured.", {}, "not applicable")
        return look(case, case.measured.signals)

    return check


def per_layer(series: Series, moment: int) -> float:
    """The factor by which a signal changes from one hidden layer to the next towards the output, at one moment; 1 where it is unknown."""
    hidden = series[moment][:-1]
    first, last = hidden[0], hidden[-1]
    if first is None or last is None or first <= 0 or last <= 0:
        return 1.0
    return (last / first) ** (1 / (len(hidden) - 1))


def _vanishing(case: Case, signals: tuple[Signals, ...]) -> Outcome | None:
    if (few := _too_few_layers(signals)) is not None:
        return few
    backward = factor_over_seeds([1 / per_layer(each.backward, 0) for each in signals])
    later = factor_over_seeds([1 / per_layer(each.backward, len(each.steps) // 2) for each in signals])
    if backward.low >= SHRINKING:
        return None
    evidence = {"factor": plain(backward), "factor_in_training": plain(later), "layers": len(signals[0].backward[0]) - 1}
    if backward.high >= SHRINKING:
        return Outcome(_open("the gradient's factor per layer", backward, SHRINKING, signals), evidence, "cannot tell")
    text = (
        f"On its way back the gradient shrinks by a factor of {_span(backward)} at each hidden layer before the first step, "
        f"and of {_span(later)} half-way through the training."
    )
    severity: Severity = "high" if later.high < SHRINKING else "medium"
    return Outcome(text, evidence, severity=severity)


def _exploding(case: Case, signals: tuple[Signals, ...]) -> Outcome | None:
    if (few := _too_few_layers(signals)) is not None:
        return few
    backward = factor_over_seeds([1 / per_layer(each.backward, 0) for each in signals])
    forward = factor_over_seeds([per_layer(each.activation, 0) for each in signals])
    name, size = max((("gradient", backward), ("activation", forward)), key=lambda each: each[1].low)
    if size.high <= GROWING:
        return None
    evidence = {"gradient_factor": plain(backward), "activation_factor": plain(forward), "layers": len(signals[0].backward[0]) - 1}
    if size.low <= GROWING:
        return Outcome(_open(f"the {name}'s factor per layer", size, GROWING, signals), evidence, "cannot tell")
    way = "on its way back, the gradient grows" if name == "gradient" else "on its way forward, the activation grows"
    layers = len(signals[0].backward[0]) - 1
    text = f"{way[0].upper()}{way[1:]} by a factor of {_span(size)} at each of {layers} hidden layers, before the first step."
    return Outcome(text, evidence)


def _dead(case: Case, signals: tuple[Signals, ...]) -> Outcome | None:
    share = over_seeds([_worst(each.dead[-1]) for each in signals])
    return _share(signals, share, MANY_DEAD, NEARLY_ALL, "of the units of one hidden layer answer no row of the training data any more")


def _saturated(case: Case, signals: tuple[Signals, ...]) -> Outcome | None:
    if case.recipe is None or case.recipe.activation not in SATURATING:
        name = "unknown" if case.recipe is None else case.recipe.activation
        return Outcome(f"The activation is {name}, which does not saturate on both sides.", {}, "not applicable")
    share = over_seeds([max(_worst(each.saturated[0]), _worst(each.saturated[-1])) for each in signals])
    return _share(signals, share, SATURATED, NEARLY_ALL, "of one hidden layer's answers lie where the activation is flat")


def _alike(case: Case, signals: tuple[Signals, ...]) -> Outcome | None:
    share = over_seeds([_worst(each.alike[-1]) for each in signals])
    return _share(
        signals, share, ALIKE, ALIKE, "of the units of one hidden layer have the same incoming weights as another, after training"
    )


def _too_large(case: Case, signals: tuple[Signals, ...]) -> Outcome | None:
    if case.recipe is not None and min(case.recipe.keep_probs) < LITTLE_KEPT:
        return Outcome("Dropout this strong makes the outputs large by itself.", {}, "not applicable")
    outputs = over_seeds([_known(each.activation[0][-1]) for each in signals])
    if above(outputs, SURE) == "no":
        return None
    evidence = {"outputs": plain(outputs), "networks": len(signals)}
    if above(outputs, SURE) == "cannot tell":
        return Outcome(_open("the size of the first outputs", outputs, SURE, signals), evidence, "cannot tell")
    text = f"Before the first step the outputs have a root mean square of {_span(outputs)}; sound initial weights give about 1."
    return Outcome(text, evidence)


def _share(signals: Sequence[Signals], share: Interval, limit: float, grave: float, what: str) -> Outcome | None:
    high = above(share, limit)
    if high == "no":
        return None
    evidence = {"share": plain(share), "networks": len(signals)}
    if high == "cannot tell":
        return Outcome(_open("the share", share, limit, signals), evidence, "cannot tell")
    text = f"{share.value:.0%} ({max(share.low, 0):.0%} to {min(share.high, 1):.0%}) {what}."
    return Outcome(text, evidence, severity="high" if share.low > grave else "medium")


def _open(what: str, size: Interval, limit: float, signals: Sequence[Signals]) -> str:
    return f"{what[0].upper()}{what[1:]}, {_span(size)}, may lie on either side of {limit:g}. {seeds_to_settle(size, limit, len(signals))}"


def _too_few_layers(signals: Sequence[Signals]) -> Outcome | None:
    layers = len(signals[0].backward[0]) - 1
    if layers >= FEWEST_LAYERS:
        return None
    return Outcome(f"A factor per layer needs at least {FEWEST_LAYERS} hidden layers; there are {layers}.", {}, "not applicable")


def _worst(layers: Sequence[float | None]) -> float:
    """The largest share among the hidden layers; a layer whose numbers are not finite any more counts as healthy here."""
    return max((value for value in layers[:-1] if value is not None), default=0.0)


def _known(value: float | None) -> float:
    return 1e30 if value is None else value


def _span(size: Interval) -> str:
    return f"{size.value:.2g} ({size.low:.2g} to {size.high:.2g})"


CHECKS: tuple[Check, ...] = (
    Check(
        "SH401",
        "Vanishing gradients",
        "high",
        f"factor per layer below {SHRINKING:g}, before the first step; high where it stays so",
        "Glorot and Bengio 2010: a sound initialisation keeps the factor at 1",
        "Initialise with xavier (tanh) or he (ReLU and its kin), use batch or layer norm, or fewer layers.",
        _measured(_vanishing),
    ),
    Check(
        "SH402",
        "Exploding gradients",
        "high",
        f"factor per layer above {GROWING:g}, before the first step",
        "Glorot and Bengio 2010; Pascanu, Mikolov and Bengio 2013",
        "Initialise with xavier or he at a gain of 1, clip the gradient's norm, or use batch or layer norm.",
        _measured(_exploding),
    ),
    Check(
        "SH403",
        "Dead units",
        "medium",
        f"share of a layer above {MANY_DEAD:.0%} at the end; high from {NEARLY_ALL:.0%}",
        "Maas, Hannun and Ng 2013; the limits are our convention: sound networks show up to a fifth",
        "Lower the learning rate, or use leaky_relu or silu, which keep a slope below 0.",
        _measured(_dead),
    ),
    Check(
        "SH404",
        "Saturated units",
        "medium",
        f"share of a layer's answers above {SATURATED:.0%}, at the start or the end; high from {NEARLY_ALL:.0%}",
        "Glorot and Bengio 2010; the limits are our convention",
        "Initialise with xavier at a gain of 1, normalise the inputs, use batch norm, or another activation.",
        _measured(_saturated),
    ),
    Check(
        "SH405",
        "Units that never part",
        "high",
        f"share of a layer above {ALIKE:.0%} after training",
        "units that start alike get the same gradient for ever",
        "Draw the initial weights at random: he, xavier, glorot, orthogonal or lsuv, never zeros.",
        _measured(_alike),
    ),
    Check(
        "SH406",
        "Initial weights far too large",
        "high",
        f"root mean square of the outputs before the first step above {SURE:g}",
        "a logit of 5 is a probability of 99 % before anything was learned",
        "Initialise with xavier or he at a gain of 1.",
        _measured(_too_large),
    ),
)
