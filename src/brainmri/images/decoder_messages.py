"""What C libraries inside the decoder write to standard error: the only trace of damaged JPEG or TIFF data.

libjpeg fills damaged data with gray and goes on, libtiff leaves a damaged strip as it is; they say so on
standard error and nowhere else.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from brainmri.errors import printable

# What libjpeg writes when pixels are lost (jerror.h); its other warnings cost no pixel.
LOST_PIXELS = ("premature end of data segment", "bad Huffman code", "bad arithmetic code")
# How OpenCV passes on what libtiff could not decode. A damaged directory of a further page costs nothing.
TIFF_ERROR, TIFF_DIRECTORY = "TIFF_Error ", "irectory"


class DecoderMessages:
    """The messages written to a file that stands in for standard error."""

    def __init__(self, file):
        self.file = file

    def size(self) -> int:
        """Return how many bytes have been written so far."""
        return os.fstat(self.file.fileno()).st_size

    def since(self, size: int) -> str:
        """Return the lines written since the size was `size`, made printable: they may quote a file."""
        text = os.pread(self.file.fileno(), self.size() - size, size).decode(errors="replace")
        return "\n".join(printable(line) for line in text.splitlines())


@contextmanager
def decoder_messages() -> Iterator[DecoderMessages]:
    """Collect what C code writes to standard error; Python's own `sys.stderr` still reaches the terminal.

    What does not say that pixels were lost is written to standard error at the end.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    python_stderr = sys.stderr
    try:
        with tempfile.TemporaryFile() as file, open(terminal, "w", buffering=1, closefd=False) as direct:
            if python_stderr is sys.__stderr__:
                sys.stderr = direct
            os.dup2(file.fileno(), 2)
            messages = DecoderMessages(file)
            try:
                yield messages
            finally:
                os.dup2(terminal, 2)
                sys.stderr = python_stderr
                for line in messages.since(0).splitlines():
                    if lost_pixels(line) is None:
                        print(line, file=sys.stderr)
    finally:
        os.close(terminal)


def lost_pixels(messages: str) -> str | None:
    """Return the first message that says that pixels were lost, or None."""
    for line in messages.splitlines():
        if any(words in line for words in LOST_PIXELS):
            return line.strip()
        _, error, text = line.partition(TIFF_ERROR)
        if error and TIFF_DIRECTORY not in text:
            return text.strip()  # What stands before has the time in it.
    return None
