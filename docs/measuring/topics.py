"""What is measured: a topic has a name, which marks its place in a page, the tables it needs, and a function that gives Markdown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from measuring.networks import Shelf

Measurement = Callable[[Shelf, int], str]
"""From where the tables are, and how many seeds, to Markdown."""


@dataclass(frozen=True)
class Topic:
    """One measurement."""

    name: str
    tables: tuple[str, ...]
    measure: Measurement


TOPICS: dict[str, Topic] = {}


def topic(name: str, *tables: str) -> Callable[[Measurement], Measurement]:
    """Register a function as what is measured for a topic."""

    def register(measure: Measurement) -> Measurement:
        TOPICS[name] = Topic(name, tables, measure)
        return measure

    return register
