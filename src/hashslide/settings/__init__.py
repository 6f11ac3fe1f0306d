"""Settings: small objects with checked fields, of which networks and classifiers are put together.

Wherever one is expected, its plain name stands for its default settings: ``optimizer="sgd"`` is
``optimizer=SGD()``. All of them are frozen and compared by value, so that they can be copied, searched over
and saved.
"""

from hashslide.settings.base import Settings
from hashslide.settings.chosen import ChosenSettings, Setting
from hashslide.settings.hash_families import (
    DWTA,
    WTA,
    CustomHash,
    FastSimHash,
    HashFamily,
    KMeans,
    MinHash,
    MissingFamily,
    RandomFamily,
    SignCodes,
    SimHash,
    SparseSimHash,
)
from hashslide.settings.layers import AdaptiveDropout, Dense, Dropout, Hashed, Layer, LowRank, WinnerTakeAll
from hashslide.settings.negatives import Negatives
from hashslide.settings.network import NetworkConfig
from hashslide.settings.optimizers import SGD, Adagrad, Adam, Optimizer
from hashslide.settings.samplers import Exact, Sampler, Scored, Standout, Threshold, Top, Uniform, Vanilla
from hashslide.settings.schedules import Constant, Cosine, Linear, Schedule

__all__ = [
    "DWTA",
    "SGD",
    "WTA",
    "Adagrad",
    "Adam",
    "AdaptiveDropout",
    "ChosenSettings",
    "Constant",
    "Cosine",
    "CustomHash",
    "Dense",
    "Dropout",
    "Exact",
    "FastSimHash",
    "HashFamily",
    "Hashed",
    "KMeans",
    "Layer",
    "Linear",
    "LowRank",
    "MinHash",
    "MissingFamily",
    "Negatives",
    "NetworkConfig",
    "Optimizer",
    "RandomFamily",
    "Sampler",
    "Schedule",
    "Scored",
    "Setting",
    "Settings",
    "SignCodes",
    "SimHash",
    "SparseSimHash",
    "Standout",
    "Threshold",
    "Top",
    "Uniform",
    "Vanilla",
    "WinnerTakeAll",
]


def __dir__() -> list[str]:
    return __all__
