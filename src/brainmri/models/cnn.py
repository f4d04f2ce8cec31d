"""The reference CNN: the plain stack of convolutions that four published systems share."""

from torch import nn

from brainmri.models.settings import CnnSettings


def cnn_body(settings: CnnSettings) -> nn.Sequential:
    """Build the convolutional part: for each width conv → (batch norm) → ReLU → max-pool 2, then flatten.

    Parameters
    ----------
    settings
        Widths, kernel, padding, batch norm and dropout.

    Returns
    -------
    nn.Sequential
        Maps float images (N, 1, S, S) to features (N, channels[-1] × map_size(S)²).
    """
    layers = []
    entering = 1
    for width in settings.channels:
        # A bias before batch norm is taken away again by its mean.
        layers.append(
            nn.Conv2d(
                entering, width, settings.kernel_size, padding=settings.padding, bias=not settings.batch_norm
            )
        )
        if settings.batch_norm:
            layers.append(nn.BatchNorm2d(width))
        layers += [nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        if settings.dropout > 0:
            layers.append(nn.Dropout2d(settings.dropout))
        entering = width
    return nn.Sequential(*layers, nn.Flatten())
