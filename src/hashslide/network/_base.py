"""What all methods of a network work on."""

from hashslide._core import ModelLock
from hashslide._core import Network as CoreNetwork


class BaseNetwork:
    """A network of the core, and the lock of the model that it is a part of."""

    _core: CoreNetwork
    _lock: ModelLock
