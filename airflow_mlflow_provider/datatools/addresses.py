"""Keys and URLs: what a caller names, and where it is."""

from __future__ import annotations

from urllib.parse import urlsplit

from airflow_mlflow_provider.exception import MetaflowException

# Scheme, bucket (empty for files) and key.
Location = tuple[str, str, str]


class Addresses:
    """Keys below a root, or URLs where there is none.

    Args:
        root: URL that keys are relative to; without one, keys are URLs.
        schemes: Schemes of URLs that are taken.
        bad_url: What is raised for others.

    Raises:
        MetaflowException: The root is no such URL (of the type ``bad_url``).
    """

    def __init__(self, root: str | None, schemes: tuple[str, ...], bad_url: type[MetaflowException]) -> None:
        self._schemes, self._bad_url = schemes, bad_url
        self.root = None if root is None else root.rstrip("/")
        if self.root is not None:
            self.location(self.root)

    @property
    def own(self) -> str:
        """The root as a key.

        Raises:
            MetaflowException: There is none.
        """
        if self.root is None:
            raise self._bad_url(
                "Without a root, a key is needed.", fix="Name a key, or make the client with a root."
            )
        return self.root

    def url(self, key: str) -> str:
        """The URL of a key; a URL below the root is a key, too.

        Raises:
            MetaflowException: It is a URL that is not below the root, or there is no root and it is no URL.
        """
        if not isinstance(key, str):
            raise self._bad_url(f"{key!r} ({type(key).__name__}) is no key.", fix="Give a text.")
        if self.root is None or key == self.root:
            self.location(key)
            return key
        if "://" in key:
            if not key.startswith(f"{self.root}/"):
                raise self._bad_url(
                    f"{key} is not below {self.root}.",
                    fix="Give keys relative to the root.",
                    where={"url": key},
                )
            return key
        return f"{self.root}/{key.lstrip('/')}"

    def location(self, url: str) -> Location:
        """Where a URL leads.

        Raises:
            MetaflowException: It is no URL of an object.
        """
        parts = urlsplit(url, allow_fragments=False)
        if parts.scheme not in self._schemes or not (parts.netloc or parts.scheme == "file"):
            forms = ", ".join(f"{scheme}://…" for scheme in self._schemes)
            raise self._bad_url(
                f"'{url}' is not a URL of an object.", fix=f"Give one of {forms}", where={"url": url}
            )
        rest = url.partition("://")[2]
        if parts.scheme == "file":
            return "file", "", rest.lstrip("/")
        bucket, _, key = rest.partition("/")
        return parts.scheme, bucket, key

    def key(self, url: str) -> tuple[str, str | None]:
        """The key of a URL, and the prefix that it is relative to: the root, or ``None`` for a URL elsewhere."""
        root = self.root
        if root is not None and url.startswith(f"{root}/"):
            return url[len(root) + 1 :].rstrip("/"), root
        return url, None
