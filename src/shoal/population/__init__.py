"""Shoals: networks of one layout that train together as one compiled program.

A *shoal* has a fixed number of slots. Its networks' states are one pytree with a leading axis of slots, divided over the
devices; ``advance`` is one program with no Python in its loops. A population larger than one shoal trains shoal after
shoal through the same program, so that the full population, the few survivors of a search and the retrained winner
need one compilation between them. The mini-batch sequence and the dropout noise are functions of the seed and of the steps
trained, so that networks of equal age see the same ones whichever shoal they are in, and comparisons are paired.
"""

from shoal.population.prediction import Members, forget_programs, members, predict
from shoal.population.programs import PROBED_ROWS, Trace
from shoal.population.shoal import Shoal, join, state_structure, take
from shoal.population.sizes import BUFFER_STEPS, bytes_per_network, default_slots, segment_steps, segments_of, slots_for, slots_within
from shoal.population.tables import Tables, balancing_weights, padded, padded_columns

__all__ = [
    "BUFFER_STEPS",
    "PROBED_ROWS",
    "Members",
    "Shoal",
    "Tables",
    "Trace",
    "balancing_weights",
    "bytes_per_network",
    "default_slots",
    "forget_programs",
    "join",
    "members",
    "padded",
    "padded_columns",
    "predict",
    "segment_steps",
    "segments_of",
    "slots_for",
    "slots_within",
    "state_structure",
    "take",
]
