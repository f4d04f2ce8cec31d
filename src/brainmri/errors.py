"""The one exception whose message is written for people, and what such messages are made of."""

from difflib import get_close_matches
from pathlib import Path

# So many characters of a value stand in a message.
SHOWN = 200


class BrainmriError(Exception):
    """Something a person can mend: the message says what is wrong, where, and what to do.

    The command line prints the message alone, without a traceback, and ends with the exit status.
    """

    exit_status = 1


def meaning_of(error: BaseException) -> tuple[int, str]:
    """Return the exit status that an error leads to, and what it says."""
    match error:
        case BrainmriError():
            return error.exit_status, str(error)
        case KeyboardInterrupt():
            return 130, "interrupted"
        case BrokenPipeError():
            return 141, "who read its output went away"
        case SystemExit(code=int() | None as code):
            return code or 0, "the command line is at fault" if code else ""
        case _:
            return 1, f"{type(error).__name__}: {error}"


def unwritable(what: Path | str, error: OSError) -> BrainmriError:
    """Return the error that says what cannot be written, why, and what to do."""
    return BrainmriError(
        f"Cannot write {what}: {error.strerror or error}. Free space or mend permissions, then run again."
    )


def unreadable(path: Path | str, error: OSError, remedy: str = "run the stage fetch again") -> BrainmriError:
    """Return the error that says which file cannot be read, why, and what to do."""
    return BrainmriError(f"{path} cannot be read ({error.strerror or error}): {remedy}.")


def changed_since_checksum(path: Path | str) -> BrainmriError:
    """Return the error for a raw file that is no longer the one that the tables tell of."""
    return BrainmriError(
        f"{path} changed since its checksum was taken: put it back, or run the stage checksum again, and all "
        "that follows from it."
    )


def shown(value) -> str:
    """Return a value as it stands in a message: on one line, cut off where it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of over 4300 digits.
        text = f"a number of {value.bit_length()} bits"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def printable(text: Path | str) -> str:
    """Return a text or a file's name on one line, without what a terminal would obey, whatever it holds."""
    return "".join(sign if sign.isprintable() or sign == "\t" else "�" for sign in str(text))


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
