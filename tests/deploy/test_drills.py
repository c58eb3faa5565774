"""The drills' own tools: what they hasten, and what they leave alone."""

import pytest

from tests.drills.watch import hastened


@pytest.mark.parametrize(
    ("written", "quicker"),
    [
        ("10m", "60s"),
        ("30s", "20s"),
        ("increase(failures_total[2h]) > 3", "increase(failures_total[720s]) > 3"),
        ("free offset 2h", "free offset 720s"),
        ("quantile(0.9, rate(seconds_bucket[15s])) > 2", "quantile(0.9, rate(seconds_bucket[15s])) > 2"),
        ('label_replace(errors:rate5m > 1, "window", "5m", "", "")',) * 2,
    ],
)
def test_hastening_shortens_windows_and_patience_alone(written: str, quicker: str) -> None:
    """Ranges, offsets and durations become ten times shorter, not below 20 s; names, labels and thresholds stay."""
    assert hastened(written, 10) == quicker
