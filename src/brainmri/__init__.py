"""brainmri: brain-tumour MRI classification, from download to an honest report."""

import os
from importlib.metadata import version

from brainmri.images.limits import MAXIMUM_PIXELS

# OpenCV reads it once, when it is imported: a limit of the decoder's own, where a header deceives ours.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAXIMUM_PIXELS))

__version__ = version("brainmri")
