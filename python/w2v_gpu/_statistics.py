"""How likely a correlation is by chance."""

from __future__ import annotations

import math

# Terms of the continued fraction, which needs some sqrt(a) of them, and when it has converged.
_MOST_TERMS = 10_000
_PRECISION = 1e-15


def p_value(correlation: float, pairs: int) -> float:
    """The two-sided p-value of a correlation of so many pairs: by Student's t distribution, the
    chance of one as far from 0 among independent values; NaN for fewer than three pairs.

    >>> round(p_value(0.5, 20), 4)
    0.0248
    """
    if pairs < 3 or math.isnan(correlation):
        return math.nan
    # With t² = r² (n - 2) / (1 - r²), the chance is I(1 - r²; (n - 2) / 2, 1/2).
    return _incomplete_beta((pairs - 2) / 2, 0.5, max(1 - correlation**2, 0.0))


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularized incomplete beta function I(x; a, b)."""
    if x <= 0 or x >= 1:
        return min(max(x, 0.0), 1.0)
    # The fraction converges fast below the mean of the distribution.
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(b, a, 1 - x)
    logarithm = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    factor = math.exp(logarithm + a * math.log(x) + b * math.log1p(-x)) / a
    return factor / _fraction(a, b, x)


def _fraction(a: float, b: float, x: float) -> float:
    """1 + d1 / (1 + d2 / (1 + ...)), the continued fraction of DLMF 8.17.22, from its front."""
    value, ratio, inverse = 1.0, 1.0, 0.0
    for term in range(1, _MOST_TERMS):
        m = term // 2
        if term % 2:
            d = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            d = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        inverse = 1 / (1 + d * inverse)
        ratio = 1 + d / ratio
        value *= ratio * inverse
        if abs(ratio * inverse - 1) < _PRECISION:
            break
    return value
