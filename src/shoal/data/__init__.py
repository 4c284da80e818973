"""From a file, a data frame or arrays to normalised inputs: reading, typing of columns, splitting, encoding."""

from shoal.data.dataset import Dataset, load
from shoal.data.preparation import Preparation
from shoal.data.read import EXAMPLES, fingerprint, read_table, source_name

__all__ = ["EXAMPLES", "Dataset", "Preparation", "fingerprint", "load", "read_table", "source_name"]
