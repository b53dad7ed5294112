"""Package metadata. Tool settings live in pyproject.toml, everyday commands in the Makefile."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def read_version() -> str:
    """Read the version from its one home without importing the package (NumPy may be absent)."""
    source = (ROOT / "minigan" / "_version.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "(.+)"$', source, re.MULTILINE).group(1)


# What the command line needs: data, progress, pictures, checkpoints, the lecture's page. The engine
# needs none of it.
TRAIN = [
    "latex2mathml>=3.77",
    "markdown-it-py>=3.0",
    "matplotlib>=3.9",
    "mdit-py-plugins>=0.4",
    "pillow>=10.3",
    "pygments>=2.17",
    "rich>=13.7",
    "safetensors>=0.4.3",
    "scikit-learn>=1.5",
    "scipy>=1.13",
    "threadpoolctl>=3.5",
    "tomli-w>=1.0",
    "typer>=0.12.4",
]

DOWNLOAD = ["pooch>=1.8"]

TENSORBOARD = ["tensorboardX>=2.6"]

EXTRAS = {
    "train": TRAIN,
    "tensorboard": TENSORBOARD,  # event files, only where asked for
    "download": DOWNLOAD,  # datasets from the network, only where asked for
    "cuda12": ["cupy-cuda12x[ctk]>=14.0"],  # ctk: the CUDA libraries too, so a driver is enough
    "cuda13": ["cupy-cuda13x[ctk]>=14.0"],
    "test": [
        *TRAIN,
        *DOWNLOAD,
        *TENSORBOARD,
        "hypothesis>=6.100",
        "pytest>=8.2",
        "pytest-xdist>=3.6",
        "ruff>=0.17,<0.18",  # one formatter for everybody: a new minor version may format anew
        "setuptools>=77",
    ],
    "bench": TRAIN,
    "docs": ["pdoc>=15.0"],
}

setup(
    name="minigan",
    version=read_version(),
    description="Reverse-mode autodiff to any order on NumPy and CuPy, and the GAN family on it",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="minigan authors",
    license_expression="MIT",
    license_files=["LICENSE"],
    keywords="autodiff gan wasserstein gradient-penalty double-backward numpy cupy education",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Education",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Operating System :: MacOS",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Scientific/Engineering :: Mathematics",
        "Typing :: Typed",
    ],
    python_requires=">=3.11",
    packages=find_packages(include=["minigan", "minigan.*"]),
    package_data={"minigan": ["py.typed", "**/*.css", "**/*.js"]},
    install_requires=["numpy>=2.0"],
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["minigan = minigan.cli:main"]},
    zip_safe=False,
)
