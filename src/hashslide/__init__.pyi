from . import callbacks as callbacks
from . import config as config
from . import csr as csr
from . import data as data
from . import diagnostics as diagnostics
from . import errors as errors
from . import layers as layers
from . import metrics as metrics
from . import model_file as model_file
from . import network as network
from . import reference as reference
from . import selection as selection
from . import training as training
from ._core import available_cpus as available_cpus
from ._core import build_info as build_info
from .diagnostics.advice import Advice as Advice
from .diagnostics.advice import advise as advise
from .estimator.classifier import SlideClassifier as SlideClassifier
from .network import Network as Network
from .selection import Layer as Layer
from .selection import Selection as Selection

__version__: str
