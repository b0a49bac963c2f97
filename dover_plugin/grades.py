"""The five-grade scale of ITU-T P.910 on calibrated scores: equal fifths of [0, 1]."""

GRADES = ("bad", "poor", "fair", "good", "excellent")
LIMITS = (0.2, 0.4, 0.6, 0.8)  # between the grades


def grade(score: float) -> str:
    """The grade of a calibrated score.

    >>> grade(0.65)
    'good'
    """
    return GRADES[sum(score >= limit for limit in LIMITS)]
