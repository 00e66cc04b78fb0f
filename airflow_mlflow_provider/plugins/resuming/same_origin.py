"""Refusing calls that another site's page makes with a user's cookie.

Airflow's cookie is ``SameSite=Lax``, which browsers do not send with another site's POST. This is the second lock: a body that no
form can send, and the browser's own word on where the call comes from.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from airflow.configuration import conf
from fastapi import HTTPException, Request


def changes_from_here(request: Request) -> None:
    """Dependency of routes that change something: a JSON body, from Airflow's own pages or from no page at all.

    Raises:
        HTTPException: 415 for another body, 403 for a page of another site.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, "Send the body as application/json.")
    # Only a browser sends it, and no page can change it.
    site = request.headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        raise HTTPException(403, "A page of another site may not change anything here.")
    source = request.headers.get("origin") or request.headers.get("referer")
    if site is None and source is not None and not _is_ours(source, request):
        raise HTTPException(403, "A page of another site may not change anything here.")


def _is_ours(source: str, request: Request) -> bool:
    # Behind a proxy the request may name another host than the browser does; `base_url` is what users see.
    ours = {str(request.base_url), conf.get("api", "base_url", fallback="") or ""}
    return _origin(source) in set(map(_origin, filter(None, ours)))


def _origin(address: str) -> tuple[str, str, int | None]:
    parts = urlsplit(address)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname or "", port
