"""How activations and gradients pass through the layers: SH401 to SH499."""

from __future__ import annotations

from shoal.diagnose.case import Check

CHECKS: tuple[Check, ...] = ()
