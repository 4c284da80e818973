"""How many networks fit a shoal, and into how many steps a training is divided."""

from __future__ import annotations

import math

from shoal import devices
from shoal.nets.network import Layout
from shoal.population.tables import EVALUATION_ROWS

BUFFER_STEPS = 256
"""Most steps of one call of ``advance``: the size of its buffer of row numbers."""


def default_slots(layout: Layout) -> int:
    """Networks per shoal: as many as keep one layer's work in a core's cache, times the devices.

    Measured on CPU: 8 networks of width 128 train as fast as 16 or 64, narrow ones gain from company, since each operation of a
    small shoal costs more to start than to do. Convolutions train one after the other on a core (see ``over``). A GPU wants as many as
    it can get.
    """
    on_cpu = devices.start()[0].platform == "cpu"
    alone = 1 if layout.convolutions else 4 if layout.width >= 128 else 16 if layout.width >= 48 else 32
    return (alone if on_cpu else 64) * len(devices.start())


def segment_steps(steps_per_epoch: int) -> int:
    """Steps between two evaluations: an epoch, or an equal part of one where that is longer than the buffer."""
    return math.ceil(steps_per_epoch / math.ceil(steps_per_epoch / BUFFER_STEPS))


def segments_of(epochs: float, steps_per_epoch: int) -> int:
    """Segments of a training of so many epochs: the nearest whole number, at least one."""
    return max(1, round(epochs * steps_per_epoch / segment_steps(steps_per_epoch)))


def bytes_per_network(layout: Layout) -> int:
    """Memory that one slot takes: parameters, gradient, moments, averages and the best ones, and a mini-batch's activations twice."""
    pictures = [each.filters * each.height * each.width for each in layout.convolutions]
    activations = layout.shape.batch_size * (sum(pictures) + layout.width * layout.shape.hidden_layers + layout.outputs)
    kept = {"first_moment", "second_moment", "maximum", "weight_average"} & set(layout.techniques)
    return 4 * ((4 + len(kept)) * layout.parameters + 4 * max(activations, EVALUATION_ROWS * max(layout.width, *pictures, 0)))


def slots_within(layout: Layout, memory: int) -> int:
    """Slots per shoal: ``default_slots``, or fewer where they would not fit in ``memory`` bytes, always over all devices."""
    count = len(devices.start())
    fitting = memory // max(bytes_per_network(layout), 1)
    return max(count, min(default_slots(layout), math.floor(fitting / count) * count))


def slots_for(layout: Layout, networks: int, memory: int) -> int:
    """Slots of a shoal for so many networks: what fits, or the number that takes the least time on all devices, empty ones included.

    Example:
        On two devices three dense networks get four slots, two on each device. Three convolutional ones get three: both devices work
        on each of them, with half of every mini-batch.
    """
    most, count = slots_within(layout, memory), len(devices.start())
    if networks >= most:
        return most
    enough = range(networks, math.ceil(networks / count) * count + 1)
    return min(enough, key=lambda slots: (slots / devices.mesh(slots, layout.parts_among).size, -slots))
