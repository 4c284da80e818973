"""A diagnosis on one screen of a terminal: one verdict, one next step, and no more findings than a person reads."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from shoal.records import Diagnosis, Finding
from shoal.report.terminal import SEVERITIES, TONES
from shoal.report.wording import SHARES, one_line, plain_error

FINDINGS_SHOWN = 5


def diagnosis_text(diagnosis: Diagnosis, everything: bool = False) -> RenderableType:
    """The verdict, the next step, and the findings in order of what they could gain.

    Args:
        diagnosis: the record.
        everything: list all findings, and what cannot be told, does not apply, or is healthy.

    Example:
        >>> from rich.console import Console
        >>> Console().print(diagnosis_text(diagnosis))  # doctest: +SKIP
    """
    found = [finding for finding in diagnosis.findings if finding.outcome == "found"]
    shown = found if everything else found[:FINDINGS_SHOWN]
    verdict = diagnosis.verdict
    blocks: list[RenderableType] = [
        Group(
            Text.assemble(
                (verdict.title.capitalize(), f"bold {TONES.get(verdict.title, 'red')}"), ("  " + one_line(diagnosis.subject), "dim")
            ),
            Text(one_line(verdict.text)),
        ),
        Text.assemble(("Next step  ", "bold cyan"), one_line(diagnosis.next_step)),
        *(_finding(finding, diagnosis.metric) for finding in shown),
    ]
    if everything:
        for title, outcome in (("Cannot be told yet", "cannot tell"), ("Does not apply", "not applicable")):
            lines = [f"{each.code}  {each.title}: {each.text}" for each in diagnosis.findings if each.outcome == outcome]
            blocks += _listed(title, lines)
        blocks += _listed("Nothing found", [f"{code}  {title}" for code, title in diagnosis.healthy.items()])
        blocks += _listed("Notes", list(diagnosis.notes))
    else:
        blocks.append(Text(rest_line(diagnosis, len(found) - len(shown)), "dim"))
    spaced: list[RenderableType] = []
    for block in blocks:
        spaced += [block, Text()]
    return Group(*spaced[:-1])


def rest_line(diagnosis: Diagnosis, hidden: int = 0) -> str:
    """One line about all that is not shown."""
    open_questions = sum(finding.outcome == "cannot tell" for finding in diagnosis.findings)
    healthy = len(diagnosis.healthy)
    parts = [
        *([f"{_counted(hidden, 'further finding')}"] if hidden else []),
        *([f"{_counted(open_questions, 'thing')} cannot be told yet"] if open_questions else []),
        f"{_counted(healthy, 'check')} found nothing",
    ]
    return f"{', '.join(parts)}: --all lists them."


def _finding(finding: Finding, metric: str) -> RenderableType:
    head = Text.assemble((f"{finding.severity:<6}", SEVERITIES[finding.severity]), f"  {finding.code}  ", (one_line(finding.title), "bold"))
    if finding.gain is not None and finding.gain > 0:
        amount = plain_error(finding.gain, metric).replace(" %", " points" if metric in SHARES else " %")
        head.append(f"  at most {amount} to gain", "dim")
    lines = [Text(one_line(finding.text))]
    if finding.advice:
        lines.append(Text.assemble(("Do  ", "cyan"), one_line(finding.advice), (f"  docs: {finding.page}", "dim")))
    return Group(head, *(Padding(line, (0, 0, 0, 8), expand=False) for line in lines))


def _listed(title: str, lines: Sequence[str]) -> list[RenderableType]:
    return [Group(Text(title, "bold cyan"), *(Text(f"  {one_line(line)}") for line in lines))] if lines else []


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
