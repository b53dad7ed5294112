"""Datasets in memory, and the order in which they are seen."""

from minigan.data.batches import Batches, stream
from minigan.data.digits import Dataset, load_digits

__all__ = ["Batches", "Dataset", "load_digits", "stream"]
