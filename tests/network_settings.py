"""A short way to write settings of networks in tests."""

import dataclasses

from hashslide.settings import Negatives, NetworkConfig, SimHash
from hashslide.settings.layers import HIDDEN_TABLES

NEGATIVES = {field.name for field in dataclasses.fields(Negatives)}


def make_config(**settings) -> NetworkConfig:
    """The settings of a network, with the fields of `Negatives` beside the others."""
    negatives = {name: value for name, value in settings.items() if name in NEGATIVES}
    others = {name: value for name, value in settings.items() if name not in NEGATIVES}
    return NetworkConfig(**others, negatives=Negatives(**negatives))


def hidden_tables(family=SimHash, **settings):
    """Hash tables with the schedule of a hidden layer."""
    return family(**HIDDEN_TABLES | settings)
