"""brainmri: brain-tumour MRI classification, from download to an honest report."""

from importlib.metadata import version

__version__ = version("brainmri")
