"""Resource quantities: ``500m``, ``1.5Gi``, ``1e3``."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal

_QUANTITY = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|[eE][+-]?\d+|)")
_BINARY = {
    unit: Decimal(1024) ** (power + 1) for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"))
}
_DECIMAL = {unit: Decimal(1000) ** power for unit, power in zip("num kMGTPE", range(-3, 7), strict=True)}

MALFORMED = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


def parse(text: str | float) -> Decimal:
    """The quantity in its base unit (cores, bytes, pieces). Raises ``ValueError`` with the server's sentence."""
    match = _QUANTITY.fullmatch(str(text))
    if match is None:
        raise ValueError(MALFORMED)
    number, suffix = Decimal(match[1]), match[2]
    if suffix[:1] in ("e", "E") and len(suffix) > 1 and suffix != "Ei":
        return number * Decimal(10) ** int(suffix[1:])
    return number * _BINARY.get(suffix, _DECIMAL.get(suffix or " ", Decimal(1)))


def units(amount: str | float, divisor: str | float = 1) -> int:
    """``amount`` in units of ``divisor``, rounded up, as ``resourceFieldRef`` gives it."""
    scale = parse(divisor) or Decimal(1)
    return int((parse(amount) / scale).to_integral_value(rounding=ROUND_CEILING))
