"""Runs where other tools look for them: TensorBoard and MLflow. Written from a run's record when it ends, never while it trains."""

from shoal.loggers.logged import log_run, logger_problems

__all__ = ["log_run", "logger_problems"]
