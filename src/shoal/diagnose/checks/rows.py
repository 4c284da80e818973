"""Whether more training rows would help: SH501 to SH599."""

from __future__ import annotations

from shoal.diagnose.case import Check

CHECKS: tuple[Check, ...] = ()
