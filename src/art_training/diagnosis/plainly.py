"""What a diagnosis holds, in the values that every format can write."""

import math
from typing import Any, cast


def finite(value: Any) -> Any:
    """JSON knows no NaN and no infinity: they are text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {name: finite(one) for name, one in cast("dict[str, Any]", value).items()}
    return [finite(one) for one in cast("list[Any]", value)] if isinstance(value, list) else value
