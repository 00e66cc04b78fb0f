"""The version of this package, for those parts of it that may not import its root."""

from typing import Final

__version__: Final = "0.1.0"
