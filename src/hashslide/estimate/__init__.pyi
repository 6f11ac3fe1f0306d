from .density import KernelDensity as KernelDensity
from .partition import PartitionEstimator as PartitionEstimator
from .sums import Estimate as Estimate
from .sampled_sgd import LSHSampledSGDClassifier as LSHSampledSGDClassifier
from .sampled_sgd import LSHSampledSGDRegressor as LSHSampledSGDRegressor
