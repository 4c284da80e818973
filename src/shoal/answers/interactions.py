"""Pairs of parameters whose effects depend on each other."""

from __future__ import annotations

from shoal.answers.comparison import Comparison
from shoal.answers.forest import HeldOut, pairs_of
from shoal.answers.importance import FEWEST_TRIALS
from shoal.measurements.answers import Interaction


def interactions(compared: Comparison, held_out: HeldOut | None) -> tuple[Interaction, ...] | str:
    """The pairs that make a difference together beyond what each makes by itself, the largest first; or in words why that cannot be told.

    A pair is listed where the interval of its share, corrected for the number of pairs (Bonferroni), lies above 0.

    Args:
        compared: trials after the same steps.
        held_out: what the pairs explain of trials that the forest has not seen; ``None`` where there are too few.
    """
    if held_out is None:
        return f"interactions are told from at least {FEWEST_TRIALS} trials, and {len(compared.trials)} were compared"
    pairs = pairs_of(len(compared.parameters))
    if not pairs:
        return "the trials differ in fewer than two parameters"
    names = [each.name for each in compared.parameters]
    shares = zip(pairs, held_out.pair_shares(), strict=True)
    found = [Interaction(names[first], names[second], share) for (first, second), share in shares if share.low > 0]
    return tuple(sorted(found, key=lambda each: -each.share.value))
