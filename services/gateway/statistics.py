"""All cryptos of a run together."""

import numpy as np
from numpy.typing import NDArray


def mean_and_median(values: NDArray[np.float64]) -> tuple[list[float | None], list[float | None]]:
    """Return mean and median of each column of `values`, shape (cryptos, metrics).

    NaN marks a metric that is undefined for a crypto: it does not count. A metric that is undefined for
    all is None.
    """
    defined = [column[~np.isnan(column)] for column in values.T]
    return (
        [float(np.mean(column)) if len(column) else None for column in defined],
        [float(np.median(column)) if len(column) else None for column in defined],
    )
