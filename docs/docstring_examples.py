"""Shows the examples of docstrings as examples, and the fields of records as one list.

griffe knows the heading ``Examples:``, and ours have one each, under ``Example:``. A record says what a field is below it; a heading for
each would make long pages of few words.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

HEADING = re.compile(r"^(\s*)Example:$", re.MULTILINE)


class DocstringExamples(griffe.Extension):
    """Renames the heading, and gathers the fields of a dataclass that has no ``Args:``, before the docstring is parsed."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Called for each object that was collected."""
        if obj.docstring is not None:
            obj.docstring.value = HEADING.sub(r"\1Examples:", obj.docstring.value)
            if isinstance(obj, griffe.Class) and "dataclass" in obj.labels and "Args:" not in obj.docstring.value:
                _gather_fields(obj)


def _gather_fields(record: griffe.Class) -> None:
    fields = [each for each in record.attributes.values() if "property" not in each.labels and not each.name.startswith("_")]
    told = [(each, each.docstring) for each in fields if each.docstring]
    plain = [f"`{each.name}`" for each in fields if not each.docstring]
    assert record.docstring is not None
    text = [record.docstring.value]
    if told:
        lines = [f"    {each.name}: {' '.join(docstring.value.split())}" for each, docstring in told]
        text.append("\n".join(["Attributes:", *lines]))
    if plain:
        text.append(f"{'Also' if told else 'Fields:'} {', '.join(plain)}.")
    record.docstring.value = "\n\n".join(text)
    for each, _ in told:
        each.docstring = None
