"""Datasets in memory, where they come from, and the order in which they are seen."""

from minigan.data.batches import Batches, drawing_from, stream
from minigan.data.catalogue import open_dataset, open_domains, open_pair
from minigan.data.cifar import load_cifar10
from minigan.data.digits import Dataset, load_digits
from minigan.data.domains import (
    Domains,
    Labels,
    Rerendering,
    paired_digits,
    photograph_domains,
    rerendered_digits,
    two_collections,
)
from minigan.data.download import download, fetch
from minigan.data.errors import DataError, Skipped, SkippedFiles
from minigan.data.folders import (
    DatasetPair,
    load_folder,
    load_paired,
    load_side_by_side,
    load_unpaired,
)
from minigan.data.idx import load_idx, load_mnist, read_idx
from minigan.data.parts import part_of
from minigan.data.photographs import Photographs, load_photographs
from minigan.data.pixels import from_bytes, with_channels
from minigan.data.prefetch import Prefetch
from minigan.data.stacked import load_stacked_digits, stack_digits
from minigan.data.transforms import Augmented, random_crop, random_flip, resize

__all__ = [
    "Augmented",
    "Batches",
    "DataError",
    "Dataset",
    "DatasetPair",
    "Domains",
    "Labels",
    "Photographs",
    "Prefetch",
    "Rerendering",
    "Skipped",
    "SkippedFiles",
    "download",
    "drawing_from",
    "fetch",
    "from_bytes",
    "load_cifar10",
    "load_digits",
    "load_folder",
    "load_idx",
    "load_mnist",
    "load_paired",
    "load_photographs",
    "load_side_by_side",
    "load_stacked_digits",
    "load_unpaired",
    "open_dataset",
    "open_domains",
    "open_pair",
    "paired_digits",
    "part_of",
    "photograph_domains",
    "random_crop",
    "random_flip",
    "read_idx",
    "rerendered_digits",
    "resize",
    "stack_digits",
    "stream",
    "two_collections",
    "with_channels",
]
