"""What ``history.parquet`` says of a training."""

import numpy as np
import pandas as pd


def least_loss_epoch(history: pd.DataFrame) -> int:
    """Return the epoch of least validation loss, the first of them where there are several."""
    losses = history["val_loss"].fillna(np.inf)
    return int(history.loc[losses.idxmin(), "epoch"])
