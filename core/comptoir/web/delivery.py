"""How answers travel: compressed, static files kept for ever by browsers, pages kept only as long as they are right."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from flask import Flask, Response, request, send_from_directory

from comptoir.web.themes import BUNDLE, StaticFiles

COMPRESSIBLE = frozenset(
    {"text/html", "text/css", "text/csv", "text/plain", "text/javascript", "application/javascript", "application/json",
     "application/problem+json", "application/vnd.api+json", "image/svg+xml"}
)  # fmt: skip
SMALLEST = 860
"""Bytes below which an answer fits into a packet anyway."""
LEVEL = 5
FOR_EVER = "public, max-age=31536000, immutable"


def install_compression(app: Flask) -> None:
    """Send text compressed to whoever understands it; call it before anything else adds to answers, so that it runs last.

    What a page says beside a form's token cannot be guessed from its size, because tokens are masked anew for every page.
    """

    @app.after_request
    def compress(response: Response) -> Response:
        if response.mimetype not in COMPRESSIBLE or response.direct_passthrough:
            return response
        response.vary.add("Accept-Encoding")
        if not _understood() or response.content_encoding or response.status_code in (204, 304):
            return response
        if request.method == "HEAD":
            return response
        if response.is_streamed:
            response.response = _compressed(response.iter_encoded())
            response.headers.pop("Content-Length", None)
        elif (response.content_length or 0) < SMALLEST:
            return response
        else:
            response.set_data(gzip.compress(response.get_data(), LEVEL, mtime=0))
        response.content_encoding = "gzip"
        return response


def _understood() -> bool:
    return request.accept_encodings.quality("gzip") > 0


def _compressed(parts: Iterable[bytes]) -> Iterator[bytes]:
    """A stream, compressed as it comes."""
    packer = zlib.compressobj(LEVEL, wbits=zlib.MAX_WBITS | 16)
    for part in parts:
        if packed := packer.compress(part):
            yield packed
    yield packer.flush()


@lru_cache(maxsize=256)
def _packed(path: Path, _version: str) -> bytes:
    return gzip.compress(path.read_bytes(), 9, mtime=0)


def serve_static(app: Flask, static: StaticFiles) -> None:
    """Answer for the static files of this generation, and for the one style sheet that all of theirs are."""
    packed_bundle = gzip.compress(static.bundle, 9, mtime=0)

    def bundle() -> Response:
        packed = _understood()
        answer = Response(packed_bundle if packed else static.bundle, mimetype="text/css")
        if packed:
            answer.content_encoding = "gzip"
        answer.set_etag(f"{static.version}{'-gz' if packed else ''}")
        answer.vary.add("Accept-Encoding")
        answer.make_conditional(request)
        return answer

    def file(path: str) -> Response:
        folder, rest = static.locate(path)
        answer = send_from_directory(folder, rest, conditional=True)
        if answer.mimetype not in COMPRESSIBLE:
            return answer
        answer.vary.add("Accept-Encoding")
        if answer.status_code == 200 and _understood() and "Range" not in request.headers:
            kept = {name: answer.headers[name] for name in ("ETag", "Last-Modified") if name in answer.headers}
            answer.close()
            answer = Response(
                _packed(folder / rest, static.version),
                mimetype=answer.mimetype,
                headers={**kept, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"},
            )
        return answer

    def serve(version: str, path: str) -> Response:
        answer = bundle() if path == BUNDLE else file(path)
        answer.headers["Cache-Control"] = FOR_EVER if version == static.version else "no-cache"
        return answer

    serve.is_public = True  # type: ignore[attr-defined]
    app.add_url_rule("/static/<version>/<path:path>", "static", serve)
