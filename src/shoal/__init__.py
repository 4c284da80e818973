"""shoal makes the neural network for your data as good as it can be, and shows its evidence."""

__version__ = "0.1.0"
