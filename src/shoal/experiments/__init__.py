"""Experiments of a diagnosis: they may train, and leave a record of ``shoal.measurements`` behind; judging is another room's work."""
