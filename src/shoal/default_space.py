"""The space that ``improve`` and ``search`` draw from unless another is given, and what is left of it after the recipe loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from shoal.parameters import CONVOLUTIONS, UNITS, Choice, Parameter, Range, translated
from shoal.recipe import AUGMENTATIONS, LossName, Recipe
from shoal.records import Task
from shoal.space import Family, Space

_ADAMW = {"hidden_layers": 3, "activation": "silu", "optimiser": "adamw"}
_MUON = _ADAMW | {"optimiser": "muon"}
_ARCHITECTURES: tuple[tuple[dict[str, Any], int], ...] = (
    (_ADAMW | {"normalisation": "none", "numeric_encoding": "piecewise"}, 128),
    (_MUON | {"normalisation": "none", "numeric_encoding": "piecewise"}, 128),
    (_MUON | {"normalisation": "none", "numeric_encoding": "periodic"}, 128),
    (_ADAMW | {"normalisation": "none", "numeric_encoding": "periodic"}, 128),
    (_ADAMW | {"normalisation": "batch", "numeric_encoding": "piecewise"}, 128),
    (_ADAMW | {"normalisation": "none", "numeric_encoding": "standard"}, 128),
)
"""Settings and most units, in the order in which a growing budget takes them up."""

_WHY_THESE = (
    "three layers that see bins of the numeric columns, or learned waves of them, trained by AdamW or in large mini-batches by Muon; "
    "bins with batch norm; or the bare columns: best first"
)
_PICTURE_ARCHITECTURES: tuple[tuple[dict[str, Any], int], ...] = (
    ({"channels": (16, 32), "normalisation": "batch", "global_pooling": "none"}, 128),
    ({"channels": (32, 64), "normalisation": "batch", "global_pooling": "none"}, 128),
    ({"channels": (32, 64, 128), "normalisation": "batch", "global_pooling": "none"}, 128),
)
"""The same for pictures; one dense layer follows the convolutions."""

_WHY_THESE_FOR_PICTURES = "two blocks of convolutions with batch norm, twice as many filters, and a third block: the cheapest first"
FEWEST_ROWS_FOR_MUON = 8_000
"""Training rows from which on a quantity is learned by Muon where there is time for one shape only."""
INPUT_SCALE_RATE = 30.0
"""How many times as fast as the weights the factors of inputs learn, unless a search finds better."""
_RATES = (
    Range("learning_rate", 5e-4, 1e-2, "log", "around twice Adam's default, which suits small networks and short trainings"),
    Range("weight_decay", 1e-3, 1.0, "log", "decoupled; from nothing to as much as the learning rate itself allows"),
)
_RATES_OF_MUON = (
    Range("learning_rate", 1.5e-3, 3e-2, "log", "three times as high as Adam's, for mini-batches four times as large"),
    Range("weight_decay", 0.1, 3.0, "log", "decoupled; what keeps steps of one size from growing the weights for ever"),
)
_WAVES = (Range("frequency_scale", 0.1, 1.0, "log", "from a wave in ten standard deviations of a column to one in each"),)
_WHY_UNITS = "from a quarter of the widest, which fits the shoal"


def default_space(
    task: Task,
    train_rows: int,
    has_bins: bool,
    selects_by_error: bool,
    picture: tuple[int, int, int] | None = None,
    loss: LossName = "auto",
) -> Space:
    """The space that ``improve`` and ``search`` draw from unless another is given.

    Args:
        task: classification or regression.
        train_rows: sets the batch size and the length of the full training.
        has_bins: whether any numeric column has a piecewise-linear encoding.
        selects_by_error: label smoothing, which spoils the log loss, is only tried where the error rate counts.
        picture: height, width and channels where the inputs are pictures.
        loss: of all recipes on a table (see ``losses.usual_loss``).
    """
    if picture is not None:
        return _picture_space(task, train_rows, selects_by_error, picture)
    batch_size = default_batch_size(train_rows)
    shared = (
        Range("keep_prob", 0.6, 1.0, "linear", "from strong dropout to none"),
        Range("beta2", 0.95, 0.999, "log_one_minus", "short memories help where gradients change quickly"),
        Range("input_scale_rate", 3.0, 100.0, "log", "how fast inputs that say little are turned down"),
    )
    if task == "classification" and selects_by_error:
        shared += (Range("label_smoothing", 0.0, 0.15, "linear", "keeps probabilities away from 0 and 1"),)
    base = Recipe(
        batch_size=batch_size,
        learning_rate=3e-3,
        weight_decay=0.03,
        keep_prob=0.85,
        input_scale_rate=INPUT_SCALE_RATE,
        clip_norm=10.0,
        loss=loss,
        epochs=default_epochs(train_rows, batch_size),
    )
    by_muon = replace(base, batch_size=large_batch_size(train_rows), learning_rate=9e-3, weight_decay=1.0, keep_prob=0.95)
    firsts = {"adamw": (base, _RATES), "muon": (by_muon, _RATES_OF_MUON)}
    families = []
    for architecture, width in _ARCHITECTURES:
        if not has_bins and architecture["numeric_encoding"] != "standard":
            continue
        first, rates = firsts[architecture["optimiser"]]
        settings = architecture | {"batch_size": first.batch_size}
        waves = _WAVES if architecture["numeric_encoding"] == "periodic" else ()
        ranges = (Range(UNITS, width // 4, width, "log_integer", _WHY_UNITS), *rates, *shared, *waves)
        begin = replace(first, **translated(first, {**settings, UNITS: width}))
        families.append(Family(begin, width, ranges, begins_with_base=True, chosen=((ARCHITECTURE, settings),)))
    return Space(base, _reaching(families), tuple(families), by_promise=True, alone=_alone(task, train_rows) if has_bins else (0,))


def _alone(task: Task, train_rows: int) -> tuple[int, ...]:
    """Numbers of the families of which one is trained where there is no time for others (see ``Space.alone``).

    By Muon for a quantity of a table whose rows fill its large mini-batches often enough; for classes by AdamW, without an encoding where
    that is ahead early: bins help to bend a function of the columns, but classes may be clusters of rows, which the bare columns show for
    less work. ``docs/defaults.md`` has what each was worth on real tables.
    """
    if task == "classification":
        return 0, len(_ARCHITECTURES) - 1
    return (1,) if train_rows >= FEWEST_ROWS_FOR_MUON else (0,)


def picture_baseline(train_rows: int) -> Recipe:
    """What recipes for pictures have in common: rates, schedule and length suit networks with batch norm."""
    return Recipe(
        hidden_units=(128,),
        channels=(16, 32),
        normalisation="batch",
        activation="relu",
        batch_size=PICTURE_BATCH_SIZE if train_rows >= 4_000 else default_batch_size(train_rows),
        learning_rate=5e-3,
        weight_decay=0.05,
        keep_prob=0.75,
        decay="one_cycle",
        epochs=picture_epochs(train_rows),
    )


PICTURE_BATCH_SIZE = 128

OF_COLOUR_PICTURES = {"horizontal_flip": 0.5, "crop": 0.1}
"""What first recipes for colour pictures add: most are photographs, which mirrored and moved show the same; grey ones are as often writing,
which mirrored is wrong. A search and the recipe loop measure both; where there is time for neither, it is a guess."""


def picture_epochs(train_rows: int) -> float:
    """Length of the full training on pictures, in passes over the rows; small sets need more, with other pictures each time.

    Example:
        >>> [picture_epochs(rows) for rows in (1_000, 16_666, 60_000)]
        [100.0, 43.0, 20.0]
    """
    return float(min(max(round(100 * (4_000 / max(train_rows, 4_000)) ** 0.6 + 0.4), 5), 100))


def _picture_space(task: Task, train_rows: int, selects_by_error: bool, picture: tuple[int, int, int]) -> Space:
    base = picture_baseline(train_rows)
    if picture[2] > 1:
        base = replace(base, **OF_COLOUR_PICTURES)
    ranges: tuple[Parameter, ...] = (
        Range("learning_rate", 1e-3, 1e-2, "log", "batch norm bears higher rates than Adam's default"),
        Range("weight_decay", 0.01, 1.0, "log", "decoupled; from next to nothing to strong"),
        Range("keep_prob", 0.5, 1.0, "linear", "of the features and of the dense layer: strong dropout to none"),
        Range("crop", 0.0, 0.12, "linear", "from none to an eighth of the side, four of 32 pixels"),
        Choice("horizontal_flip", (0.0, 0.5), "mirrored pictures help or spoil, which the dev pictures tell"),
    )
    if task == "classification" and selects_by_error:
        ranges += (Range("label_smoothing", 0.0, 0.15, "linear", "keeps probabilities away from 0 and 1"),)
    families = tuple(
        Family(replace(base, **settings, hidden_units=(width,)), width, ranges, True, ((ARCHITECTURE, settings),))
        for settings, width in _PICTURE_ARCHITECTURES
        if 2 ** len(settings["channels"]) <= min(picture[:2])
    )
    return Space(base, _reaching(families, _WHY_THESE_FOR_PICTURES), families, by_promise=True, growing=True)


ARCHITECTURE = "architecture"
"""The choice of the settings that make a shape."""


FEWEST_FOR_A_BATCH = 16


def around(space: Space, begin: Recipe, result: Recipe, width: int) -> Space:
    """The space that is left to search once the recipe loop has come to a result.

    What the loop kept holds for every family: a number that a family draws is drawn from a range that holds the kept value, any other
    setting is taken over. So does the loss of the result, the user's or not: trials are compared by it. A family of the result's own shape
    comes second, drawn from close around the result, which is its first trial.

    Args:
        space: what would be searched without the loop.
        begin: the loop's first recipe.
        result: its last.
        width: units that the layers of the result's shoal have room for.
    """
    kept = {name: value for name, (_, value) in begin.diff(result).items() if name not in ("hidden_units", "epochs", *_OF_SHAPE)}
    kept |= {name: getattr(result, name) for name in _OF_LOSS}
    families = [_with_kept(family, kept) for family in space.families]
    base = families[0].base
    if result.batch_size == "all" or result.batch_size < FEWEST_FOR_A_BATCH or not result.hidden_units:
        return replace(space, base=base, families=tuple(families))
    centre = replace(result, epochs=base.epochs, warm_up=0.0)
    ranges = tuple(each for each in (_close_to(range_, getattr(centre, range_.name, None)) for range_ in families[0].ranges) if each)
    settings = {name: getattr(centre, name) for name in _OF_PICTURE_ARCHITECTURE if centre.channels}
    settings = settings or {"hidden_layers": len(centre.hidden_units)} | {name: getattr(centre, name) for name in _OF_ARCHITECTURE}
    own = Family(centre, width, ranges, begins_with_base=True, chosen=((ARCHITECTURE, settings),))
    ordered = (families[0], own, *families[1:])
    why = next(each.reason for each in space.parameters if each.name == ARCHITECTURE)
    alone = tuple(number + (number > 0) for number in space.alone)  # the result's own family comes in between
    return replace(space, base=families[0].base, parameters=_reaching(ordered, why), families=ordered, alone=alone)


def augmented_as(space: Space, recipe: Recipe) -> Space:
    """The space with the augmentation of a recipe in every base: once it was measured, or chosen by the user, no guess is called for."""
    augmentation = {name: getattr(recipe, name) for name in AUGMENTATIONS}
    families = tuple(replace(family, base=replace(family.base, **augmentation)) for family in space.families)
    return replace(space, base=replace(space.base, **augmentation), families=families)


_OF_ARCHITECTURE = ("activation", "optimiser", "batch_size", "normalisation", "numeric_encoding")
_OF_PICTURE_ARCHITECTURE = ("normalisation", *CONVOLUTIONS)
_OF_LOSS = ("loss", "huber_delta", "quantile")
_OF_SHAPE = (*CONVOLUTIONS, *_OF_ARCHITECTURE, "input_normalisation", "loss")


def _reaching(families: Sequence[Family], why: str = _WHY_THESE) -> tuple[Parameter, ...]:
    """The parameters of families: each number as far as any of them reaches."""
    architectures: list[dict[str, Any]] = []
    reach: dict[str, Parameter] = {}
    for family in families:
        settings = dict(family.chosen)[ARCHITECTURE]
        architectures += [settings] if settings not in architectures else []
        for each in family.ranges:
            known = reach.get(each.name, each)
            if isinstance(each, Range) and isinstance(known, Range):
                known = replace(known, low=min(known.low, each.low), high=max(known.high, each.high))
            reach[each.name] = known
    return (Choice(ARCHITECTURE, tuple(architectures), why), *reach.values())


def _with_kept(family: Family, kept: dict[str, Any]) -> Family:
    """A family that takes over what the loop kept."""
    drawn = {each.name for each in family.ranges}
    base = replace(family.base, **{name: value for name, value in kept.items() if name not in drawn})
    ranges = tuple(_holding(each, kept[each.name]) if each.name in kept else each for each in family.ranges)
    return replace(family, base=base, ranges=ranges)


def _holding(each: Parameter, value: Any) -> Parameter:
    if isinstance(each, Choice) or not isinstance(value, int | float):
        return each
    return replace(each, low=min(each.low, value), high=max(each.high, value))


def _close_to(each: Parameter, value: Any) -> Range | None:
    """The half of a range around a value."""
    if isinstance(each, Choice) or not isinstance(value, int | float):
        return None
    at = each.position(value)
    low, high = (each.value(min(max(at + way, 0.0), 1.0)) for way in (-0.25, 0.25))
    return replace(each, low=low, high=high, reason="close to what the recipe loop kept")


def default_batch_size(train_rows: int) -> int:
    """Examples a mini-batch: small tables need many steps an epoch, large ones need fewer, cheaper steps.

    Example:
        >>> [default_batch_size(rows) for rows in (300, 8_000, 400_000)]
        [32, 128, 512]
    """
    return next((size for limit, size in ((1_000, 32), (4_000, 64), (16_000, 128), (100_000, 256)) if train_rows < limit), 512)


def large_batch_size(train_rows: int) -> int:
    """Examples a mini-batch for muon, whose steps have a cost of their own whatever the examples are, and take a network further.

    Example:
        >>> [large_batch_size(rows) for rows in (300, 8_000, 400_000)]
        [128, 512, 1024]
    """
    return min(4 * default_batch_size(train_rows), 1_024)


def default_epochs(train_rows: int, batch_size: int) -> float:
    """Length of the full training: about 4,000 steps, in 2 to 200 passes over the rows.

    Example:
        >>> [default_epochs(rows, default_batch_size(rows)) for rows in (300, 8_000, 400_000)]
        [200.0, 64.0, 5.0]
    """
    return float(min(max(round(4_000 * batch_size / train_rows), 2), 200))
