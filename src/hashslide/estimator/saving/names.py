"""What the file of a classifier calls itself and its parts."""

__all__ = ["BEST", "KIND", "NETWORK", "RESERVOIR", "STANDARD", "TEXT"]


def __dir__() -> list[str]:
    return __all__


KIND = "SlideClassifier"
NETWORK = "network."  # prefix of the network's arrays
BEST = "best."  # prefix of the arrays of the best epoch's network, in a checkpoint
TEXT = "text"  # of the metadata, and prefix of the arrays, that tell how texts become features
STANDARD = "features."  # prefix of the arrays that standardize the features
RESERVOIR = "reservoir."  # of those of the kept examples
