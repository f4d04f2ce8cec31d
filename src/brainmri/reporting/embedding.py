"""What a page says of files: links with digests, and figures as part of the page."""

import base64
import os
import re
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup
from PIL import Image

from brainmri.artefacts import existing
from brainmri.digests import file_digest
from brainmri.reporting.figure_size import image_size


@dataclass
class Artefacts:
    """The files that a page shows, each digested once.

    Parameters
    ----------
    folder
        The page's folder, which links are relative to.
    shown
        The links made so far, by path.
    """

    folder: Path
    shown: dict[Path, dict] = field(default_factory=dict)

    def link(self, path: Path) -> dict:
        """Return ``href``, ``name`` and ``digest`` (SHA-256) of a file that the page cites.

        Raises
        ------
        BrainmriError
            If the file does not exist.
        """
        path = Path(path)
        if path not in self.shown:
            href = Path(os.path.relpath(existing(path), self.folder)).as_posix()
            self.shown[path] = {"href": quote(href), "name": path.as_posix(), "digest": file_digest(path)}
        return self.shown[path]

    def figure(self, path: Path, alt: str) -> dict:
        """Return a figure as a data address, with its size in CSS pixels, its `alt` text and its link.

        Raises
        ------
        BrainmriError
            If the file is missing, or is no SVG or PNG as the figures' stages write them.
        """
        link = self.link(path)
        content = Path(path).read_bytes()
        width, height, kind = image_size(content, path)
        if kind == "image/png":
            source = address(*lighter(content))
        else:
            source = vector_address(content.decode("utf-8"))
        # Quoted as it is: to escape its apostrophes for HTML would double it.
        return {"source": Markup(source), "width": width, "height": height, "alt": alt, "link": link}


def address(content: bytes, kind: str) -> str:
    """Return bytes of a media type as a data address."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def vector_address(text: str) -> str:
    """Return an SVG as a data address: without remarks, to a tenth of a point, half of the bytes."""
    text = re.sub(r"(?s)<!--.*?-->|<metadata>.*?</metadata>|<\?xml.*?\?>|<!DOCTYPE.*?>", "", text)
    # But for scales, such as that of letters, and for what shines through.
    text = re.sub(r"scale\([^)]*\)|opacity: [\d.]+|(\.\d)\d+", lambda found: found[1] or found[0], text)
    text = re.sub(r">\s+<", "><", re.sub(r"\s+", " ", text)).strip()
    if "'" not in text:
        text = text.replace('"', "'")
    # Its own parts alone are referred to: no `url(` shall look like an address.
    return "data:image/svg+xml," + quote(text, safe=" !$'()*+,-./:;=?@_~{}").replace("url(", "url%28")


def lighter(content: bytes) -> tuple[bytes, str]:
    """Return a PNG's picture as WebP, a fifth of the bytes; the link beside it leads to the PNG itself."""
    picture = BytesIO()
    with Image.open(BytesIO(content)) as image:
        image.convert("RGB").save(picture, format="webp", quality=75, method=4)
    return picture.getvalue(), "image/webp"
