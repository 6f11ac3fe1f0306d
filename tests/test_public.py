"""Public modules, those without an underscore, show what is public and nothing else."""

import pkgutil
from enum import EnumType
from importlib import import_module
from types import BuiltinFunctionType, FunctionType, ModuleType

import pytest

import hashslide

MODULES = ["hashslide"] + [
    module.name
    for module in pkgutil.walk_packages(hashslide.__path__, "hashslide.")
    if not any(part.startswith("_") for part in module.name.split("."))
]


@pytest.mark.parametrize("name", MODULES)
def test_a_public_module_shows_what_is_public(name):
    module = import_module(name)
    assert dir(module) == sorted(module.__all__)
    assert len(set(module.__all__)) == len(module.__all__)
    assert module.__doc__
    for public in module.__all__:
        value = getattr(module, public)
        assert not public.startswith("_")
        if isinstance(value, ModuleType):
            assert value.__name__.startswith("hashslide.")
        elif isinstance(value, type | FunctionType | BuiltinFunctionType):
            assert value.__module__.startswith("hashslide"), f"{public} is of {value.__module__}"
            assert value.__doc__ or isinstance(value, EnumType), f"{public} is not documented"


@pytest.mark.parametrize("name", MODULES)
def test_nothing_public_is_left_out(name):
    module = import_module(name)
    own = {
        key
        for key, value in vars(module).items()
        if isinstance(value, type | FunctionType) and value.__module__ == name and not key.startswith("_")
    }
    assert own <= set(module.__all__)


def test_advise_is_a_function_that_hides_no_module():
    assert callable(hashslide.advise)
    with pytest.raises(ModuleNotFoundError):
        import_module("hashslide.advise")
