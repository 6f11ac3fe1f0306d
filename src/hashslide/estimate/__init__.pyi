from .density import KernelDensity as KernelDensity
from .partition import PartitionEstimator as PartitionEstimator
from .sums import Estimate as Estimate
