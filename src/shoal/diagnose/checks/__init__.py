"""Single diseases: each check looks at a finished run's measurements and records, and gives a finding or nothing.

Each has a code that never changes, and a page in the documentation, ``docs/findings/SH101.md``.

=======  ======================================
SH1xx    errors, gaps and scores
SH2xx    how the training went
SH3xx    rows and columns
SH4xx    signals through the layers
SH5xx    more rows
=======  ======================================
"""

from __future__ import annotations

from collections.abc import Iterable

from shoal.diagnose.case import Case, Check
from shoal.diagnose.checks import data, errors, mistakes, pictures, rows, signals, training
from shoal.records import Finding

CHECKS: tuple[Check, ...] = (
    *errors.CHECKS, *mistakes.CHECKS, *training.CHECKS, *data.CHECKS, *pictures.CHECKS, *signals.CHECKS, *rows.CHECKS,
)  # fmt: skip
"""Every check, in the order of the codes."""


CAUSES = (
    "SH307", "SH308", "SH304", "SH312", "SH306", "SH405", "SH209", "SH406", "SH402", "SH401", "SH208", "SH210", "SH203", "SH204", "SH403",
    "SH404", "SH301", "SH303", "SH310",
)  # fmt: skip
"""Findings that explain others, the deepest first: while one of them stands, bias and variance say little about the network."""


def findings(case: Case) -> tuple[Finding, ...]:
    """Every check's finding, best first (see ``best_first``); healthy ones are left out.

    Args:
        case: the measurements and records of a run.

    Returns:
        Findings with their evidence; ``evidence`` always holds ``threshold`` and ``source``.

    Example:
        >>> import numpy as np
        >>> from shoal.diagnose.gaps import PartPrediction, measure
        >>> from shoal.diagnose.verdict import judge
        >>> from shoal.metrics import METRICS
        >>> part = PartPrediction(np.linspace(0, 1, 300), np.linspace(0, 1, 300)[None])
        >>> errors = measure({"train": part, "dev": part, "test": part}, METRICS["mae"])
        >>> [finding.code for finding in findings(Case(errors, judge(errors))) if finding.outcome == "found"]
        []
    """
    found = []
    for check in CHECKS:
        outcome = check.look(case)
        if outcome is not None:
            evidence = {**outcome.evidence, "threshold": check.threshold, "source": check.source}
            severity = outcome.severity or check.severity
            advice = outcome.advice or check.advice if outcome.outcome == "found" else ""
            found.append(Finding(check.code, check.title, severity, outcome.text, advice, evidence, outcome.outcome, outcome.gain))
    return best_first(found)


def best_first(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings in the order in which they are worth acting upon; what cannot be told and what does not apply comes last.

    Causes of others come first, the deepest before all. Then come grave ones whose gain is not a number, those with a gain, by how
    much lower the dev error could be without them, and the rest by severity.
    """
    outcomes, severities = ("found", "cannot tell", "not applicable"), ("high", "medium", "low", "note")

    def place(finding: Finding) -> tuple[int, int, float, int, str]:
        outcome, severity = outcomes.index(finding.outcome), severities.index(finding.severity)
        if finding.code in CAUSES and finding.severity in ("high", "medium"):
            return outcome, 0, CAUSES.index(finding.code), severity, finding.code
        group = 2 if finding.gain is not None else 1 if finding.severity == "high" else 3
        return outcome, group, -(finding.gain or 0.0), severity, finding.code

    return tuple(sorted(found, key=place))
