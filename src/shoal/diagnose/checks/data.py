"""Rows and columns: shifts between the parts, repeats, leaks: SH301 to SH399."""

from __future__ import annotations

from shoal.diagnose.case import Check

CHECKS: tuple[Check, ...] = ()
