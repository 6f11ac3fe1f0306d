"""Parts of data sets."""

import numpy as np

from hashslide import data


def slice_of(whole: data.Dataset, rows: int, test_rows: int) -> data.Dataset:
    """The first rows of a data set, with the features and labels that the training rows have."""
    x, y = whole.X_train[:rows], whole.Y_train[:rows]
    features, labels = np.unique(x.indices), np.unique(y.indices)
    x_test, y_test = whole.X_test[:test_rows], whole.Y_test[:test_rows]
    return data.Dataset(
        x[:, features],
        y[:, labels],
        x_test[:, features],
        y_test[:, labels],
        whole.feature_names[features],
        whole.label_names[labels],
    )
