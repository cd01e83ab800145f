"""The built page: its files, read once into memory, so that no path of a request ever becomes a path of the disk."""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from neopain.runtime.log import Log

LOG = Log(__name__)

INDEX = "/index.html"
PAGES = re.compile(r"/(bed/[^/]*)?")
"""Addresses of the page: the ward, and one bed."""
HASHED = "/assets/"
"""Files there have a digest in their names: a browser keeps them for good."""
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wav": "audio/wav",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
COMPRESSED = (".css", ".html", ".js", ".json", ".svg", ".txt", ".webmanifest")


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file; ``packed`` is its gzip, where that is worth it."""

    body: bytes
    packed: bytes | None
    content_type: str
    tag: str
    is_hashed: bool


class PageFiles:
    """The files of one folder, read again when the page was built anew. Empty until it was."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, PageFile] = {}
        self._built: tuple[Path, int] | None = None

    def find(self, path: str) -> PageFile | None:
        """The file of an address, and the index for every address of the page; None when there is none."""
        if PAGES.fullmatch(path):
            self._refresh()
            return self._files.get(INDEX)
        return self._files.get(path)

    def _refresh(self) -> None:
        """The folder is a link to another one after each build."""
        try:
            folder = self._folder.resolve()
            built = folder, (folder / INDEX[1:]).stat().st_mtime_ns
            if built != self._built:
                self._files, self._built = _read(folder), built
                LOG.info("page_read", files=len(self._files))
        except OSError as error:
            LOG.warning("page_not_read", why=error.strerror)


def _read(folder: Path) -> dict[str, PageFile]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix in TYPES)
    return {f"/{path.relative_to(folder).as_posix()}": _file(path, folder) for path in files}


def _file(path: Path, folder: Path) -> PageFile:
    body = path.read_bytes()
    packed = gzip.compress(body, mtime=0) if path.suffix in COMPRESSED else None
    return PageFile(
        body=body,
        packed=packed if packed is not None and len(packed) < len(body) else None,
        content_type=TYPES[path.suffix],
        tag=f'"{sha256(body).hexdigest()[:32]}"',
        is_hashed=f"/{path.relative_to(folder).as_posix()}".startswith(HASHED),
    )
