"""Datasets in memory, and the order in which they are seen."""

from minigan.data.batches import Batches, stream
from minigan.data.digits import Dataset, load_digits
from minigan.data.domains import (
    Domains,
    Labels,
    Rerendering,
    photograph_domains,
    rerendered_digits,
    two_collections,
)
from minigan.data.photographs import Photographs, load_photographs

__all__ = [
    "Batches",
    "Dataset",
    "Domains",
    "Labels",
    "Photographs",
    "Rerendering",
    "load_digits",
    "load_photographs",
    "photograph_domains",
    "rerendered_digits",
    "stream",
    "two_collections",
]
