from .density import KernelDensity as KernelDensity
from .partition import PartitionEstimator as PartitionEstimator
from .sampled_classifier import LSHSampledSGDClassifier as LSHSampledSGDClassifier
from .sampled_regressor import LSHSampledSGDRegressor as LSHSampledSGDRegressor
from .sums import Estimate as Estimate
