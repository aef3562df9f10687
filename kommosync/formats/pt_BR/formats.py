"""Dates in Brazilian Portuguese."""

DATE_FORMAT = SHORT_DATE_FORMAT = "j b Y"  # 1 dez 2026
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "j b Y, H:i"  # 1 dez 2026, 14:00
MONTH_DAY_FORMAT = "j b"
TIME_FORMAT = "H:i"
