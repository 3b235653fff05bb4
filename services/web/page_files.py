"""The page's files, as the package build made them: held in memory, a few hundred kB in all.

A path is looked up among the names of the files, and never in the file system.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

# Beside this file; git ignores it.
FOLDER = Path(__file__).with_name("static")

INDEX = "index.html"
# Paths of the page's views; page/src/address.ts names them too.
VIEWS = frozenset({"", "run", "crypto", "portfolio", "sweep", "compare", "runs", "data"})
# Vite names these files after their content: another content has another name.
_ASSETS = "assets/"
_FOREVER = "public, max-age=31536000, immutable"
# It is asked for each time, and answered by "not modified".
_CHECKED = "no-cache"

# Those of the standard library depend on the machine.
_CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}

# The build makes these, beside the files: the best levels take too long for every start of the process.
_COMPRESSED = {"br": ".br", "gzip": ".gz"}

_NO_VIEW = b"""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Backcast</title>
<h1>There is nothing at this address</h1>
<p><a href="/">Backcast</a> has the views that its links lead to.</p>
</html>
"""

_NOT_BUILT = b"""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Backcast</title>
<h1>This installation has no page</h1>
<p>It was built without it (<code>BACKCAST_WITHOUT_PAGE=1</code>). <code>make page</code> in the source folder
builds it; then start this process again.</p>
<p>The gateway's methods are served all the same, for programs that speak Connect or gRPC-Web.</p>
</html>
"""


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    # The content by its encoding, the smallest first.
    compressed: Mapping[str, bytes]
    content_type: str
    etag: str
    cache_control: str


class PageFiles:
    """Answers GET with the page's files; the paths of its views get index.html."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files: Mapping[str, _File] = {
            path.relative_to(folder).as_posix(): _read(path, path.relative_to(folder).as_posix())
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix not in _COMPRESSED.values()
        }

    @property
    def is_built(self) -> bool:
        """Whether there is a page."""
        return INDEX in self._files

    async def respond(self, request: Request) -> Response:
        """Return the response to a request; as all is in memory, nothing waits."""
        if not self.is_built:
            return Response(_NOT_BUILT, 404, media_type="text/html")
        path = request.path_params.get("path", "")
        file = self._files.get(INDEX if path in VIEWS else path)
        if file is not None:
            return _response(file, request)
        if path.startswith(_ASSETS) or PurePosixPath(path).suffix:
            return Response("there is no such file\n", 404, media_type="text/plain")
        view = path.rstrip("/")
        if view in VIEWS:
            return RedirectResponse(request.url.replace(scheme="", netloc="", path=f"/{view}"), 308)
        return Response(_NO_VIEW, 404, media_type="text/html")


def _read(path: Path, name: str) -> _File:
    content = path.read_bytes()
    made = {encoding: path.with_name(path.name + suffix) for encoding, suffix in _COMPRESSED.items()}
    compressed = {encoding: file.read_bytes() for encoding, file in made.items() if file.exists()}
    return _File(
        content,
        compressed,
        _CONTENT_TYPES.get(path.suffix, "application/octet-stream"),
        f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        _FOREVER if name.startswith(_ASSETS) else _CHECKED,
    )


def _response(file: _File, request: Request) -> Response:
    headers = {"etag": file.etag, "cache-control": file.cache_control, "vary": "Accept-Encoding"}
    known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    if not known.isdisjoint({file.etag, "*"}):
        return Response(status_code=304, headers=headers)
    content = file.content
    accepted = {
        each.partition(";")[0].strip() for each in request.headers.get("accept-encoding", "").split(",")
    }
    encoding = next((each for each in file.compressed if each in accepted), None)
    if encoding is not None:
        content = file.compressed[encoding]
        # Another representation: only a weak tag may be the same for all of them.
        headers |= {"content-encoding": encoding, "etag": f"W/{file.etag}"}
    return Response(content, headers={**headers, "content-type": file.content_type})
