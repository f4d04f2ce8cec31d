"""The head: from features to one logit a class."""

from torch import nn

from brainmri.models.settings import HeadSettings


def dense_head(feature_count: int, class_count: int, settings: HeadSettings) -> nn.Sequential:
    """Build the dense layers: (dense → ReLU → dropout) for each hidden width, then dense to the classes.

    Parameters
    ----------
    feature_count
        Width of what the body gives.
    class_count
        Number of classes.
    settings
        Hidden widths and dropout. Without a hidden layer the dropout lies before the last layer.

    Returns
    -------
    nn.Sequential
        Maps features (N, feature_count) to logits (N, class_count).
    """
    layers = []
    entering = feature_count
    for width in settings.widths:
        layers += [nn.Linear(entering, width), nn.ReLU(inplace=True), nn.Dropout(settings.dropout)]
        entering = width
    if not settings.widths:
        layers.append(nn.Dropout(settings.dropout))
    return nn.Sequential(*layers, nn.Linear(entering, class_count))
