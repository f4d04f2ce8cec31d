"""The one exception whose message is written for people."""

from difflib import get_close_matches


class BrainmriError(Exception):
    """Something a person can mend: the message says what is wrong, where, and what to do.

    The command line prints the message alone, without a traceback, and ends with the exit status.
    """

    exit_status = 1


def shown(value, most: int = 200) -> str:
    """Return a value as it stands in a message: on one line, cut off where it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of over 4300 digits.
        text = f"a number of {value.bit_length()} bits"
    return text if len(text) <= most else f"{text[:most]}…"


def first_line(reason: Exception | str) -> str:
    """Return the first line of what an exception says, without its full stop; its kind where it is silent."""
    return (str(reason).strip() or type(reason).__name__).splitlines()[0].rstrip(".:")


def nearest(name: str, known) -> str:
    """Return a sentence that names the known word closest to `name`, or all of them.

    Parameters
    ----------
    name
        What was written.
    known : iterable of str
        What could have been meant.

    Returns
    -------
    str
        ``"Did you mean 'adamw'?"`` or ``"Known: adam, adamw, sgd."``; of many the one that is least unlike;
        empty where nothing is known.
    """
    known = sorted(known)
    # A long text is no slip of the pen, and takes long to compare.
    close = get_close_matches(str(name)[:100], known, n=1, cutoff=0.6)
    if close:
        return f"Did you mean '{close[0]}'?"
    if 0 < len(known) <= 20:
        return f"Known: {', '.join(known)}."
    least_unlike = get_close_matches(str(name)[:100], known, n=1, cutoff=0)
    return f"The nearest of {len(known)} known ones is '{least_unlike[0]}'." if least_unlike else ""
