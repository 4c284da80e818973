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

from shoal.diagnose.case import Case, Check
from shoal.diagnose.checks import data, errors, rows, signals, training
from shoal.records import Finding

CHECKS: tuple[Check, ...] = (*errors.CHECKS, *training.CHECKS, *data.CHECKS, *signals.CHECKS, *rows.CHECKS)
"""Every check, in the order of the codes."""


def findings(case: Case) -> tuple[Finding, ...]:
    """Every check's finding, worst first and then by what its cure could gain.

    Healthy ones are left out; what cannot be told and what does not apply comes last.

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
            advice = check.advice if outcome.outcome == "found" else ""
            found.append(Finding(check.code, check.title, severity, outcome.text, advice, evidence, outcome.outcome, outcome.gain))
    outcomes, severities = ("found", "cannot tell", "not applicable"), ("high", "medium", "low", "note")

    def place(finding: Finding) -> tuple[int, int, float, str]:
        return outcomes.index(finding.outcome), severities.index(finding.severity), -(finding.gain or 0.0), finding.code

    return tuple(sorted(found, key=place))
