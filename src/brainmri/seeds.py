"""Seeds: what NumPy's and torch's generators take, and the column `seed` of a table holds."""

from brainmri.errors import BrainmriError, shown


def check_seed(seed: int) -> None:
    """Raise a BrainmriError where a number is no seed."""
    if not 0 <= seed < 2**63:
        raise BrainmriError(f"seed is {shown(seed)}; allowed: 0 or more, below 2^63.")
