"""Values as the reader writes them: numbers, money, days and moments in their language and time zone, and back."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo

import phonenumbers
from babel import Locale, dates, numbers

from comptoir.i18n import _

NEAR = {0: _("Today"), -1: _("Yesterday"), 1: _("Tomorrow")}
_SPACES = re.compile(r"[\s\u00a0\u202f]+")


@lru_cache(maxsize=64)
def _locale(language: str) -> Locale:
    return Locale.parse(language)


@lru_cache(maxsize=4096)
def phone_in_groups(number: str) -> str:
    """A number in E.164 as people read it aloud: ``+40 21 555 0100``; any other text as it is."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL))


Writer = Callable[[Decimal | float], str]
SAMPLES = (Decimal(0), Decimal(7), Decimal("1234.5"), Decimal(98765), Decimal("1234567.89"))


@lru_cache(maxsize=256)
def _money_writer(language: str, currency: str, *, whole: bool) -> Writer:
    locale = _locale(language)
    pattern = numbers.parse_pattern(locale.currency_formats["standard"].pattern)
    digits = 0 if whole else numbers.get_currency_precision(currency)
    pattern.frac_prec = (digits, digits)

    def slow(value: Decimal | float) -> str:
        return str(pattern.apply(value, locale, currency=currency, currency_digits=False))

    return _quicker(slow, locale, digits)


@lru_cache(maxsize=64)
def _integer_writer(language: str) -> Writer:
    locale = _locale(language)

    def slow(value: Decimal | float) -> str:
        return str(numbers.format_decimal(value, format="#,##0", locale=locale))

    return _quicker(slow, locale, 0)


def _quicker(slow: Writer, locale: Locale, digits: int) -> Writer:
    """The same writer, twenty times as fast where the locale groups by three: a list has hundreds of numbers."""
    seven = slow(Decimal(7))
    shape = f"{Decimal(7):.{digits}f}".replace(".", numbers.get_decimal_symbol(locale))
    before, found, after = seven.partition(shape)
    signs = str.maketrans({",": numbers.get_group_symbol(locale), ".": numbers.get_decimal_symbol(locale)})

    def quick(value: Decimal | float) -> str:
        return slow(value) if value < 0 else before + f"{value:,.{digits}f}".translate(signs) + after

    fits = found and all(quick(round(sample, digits)) == slow(round(sample, digits)) for sample in SAMPLES)
    return quick if fits else slow


@lru_cache(maxsize=4096)
def _day(language: str, pattern: str, value: dt.date) -> str:
    return str(dates.format_date(value, pattern, locale=_locale(language)))


@dataclass(frozen=True)
class Formats:
    """How one reader sees values; made once per request."""

    language: str
    timezone: ZoneInfo
    currency: str
    now: dt.datetime

    @cached_property
    def locale(self) -> Locale:
        """The reader's locale."""
        return _locale(self.language)

    @cached_property
    def today(self) -> dt.date:
        """The day it is where the reader is."""
        return self.now.astimezone(self.timezone).date()

    # -- showing ---------------------------------------------------------------------------------------------------------

    def integer(self, value: int) -> str:
        """1,284"""
        return _integer_writer(self.language)(value)

    def decimal(self, value: Decimal | float) -> str:
        """1,284.5, without trailing zeros."""
        return str(numbers.format_decimal(value, format="#,##0.####", locale=self.locale))

    def percent(self, value: Decimal | float) -> str:
        """12.5 %"""
        if value == int(value):
            return f"{self.integer(int(value))}%"
        return f"{numbers.format_decimal(value, format='#,##0.##', locale=self.locale)}%"

    def money(self, value: Decimal | float, currency: str | None = None, *, whole: bool | None = None) -> str:
        """€1,284.50; whole amounts lose their decimals unless told otherwise."""
        code = currency or self.currency
        shorten = value == int(value) if whole is None else whole
        return _money_writer(self.language, code, whole=shorten)(value)

    def short_money(self, value: float) -> str:
        """€197k, for axes and labels of charts."""
        text = numbers.format_compact_decimal(value, format_type="short", locale=self.locale, fraction_digits=1)
        return str(text)

    def day(self, value: dt.date) -> str:
        """12 Nov, with the year when it is another one."""
        pattern = "d MMM" if value.year == self.today.year else "d MMM y"
        return _day(self.language, pattern, value)

    def near_day(self, value: dt.date) -> str:
        """Today, Yesterday, Tomorrow, else as `day`."""
        distance = (value - self.today).days
        return str(NEAR[distance]) if distance in NEAR else self.day(value)

    def long_day(self, value: dt.date) -> str:
        """Tuesday 17 November, with today and yesterday by name."""
        distance = (value - self.today).days
        if distance in (0, -1, 1):
            return self.near_day(value)
        pattern = "EEEE d MMMM" if value.year == self.today.year else "d MMMM y"
        return str(dates.format_date(value, pattern, locale=self.locale))

    def time(self, value: dt.datetime) -> str:
        """14:05"""
        return str(dates.format_time(value.astimezone(self.timezone), "HH:mm", locale=self.locale))

    def moment(self, value: dt.datetime) -> str:
        """Today 14:05, else 12 Nov 14:05."""
        local = value.astimezone(self.timezone)
        return f"{self.near_day(local.date())} {local:%H:%M}"

    def month(self, value: dt.date) -> str:
        """Nov 2026"""
        return str(dates.format_date(value, "LLL y", locale=self.locale))

    def seconds(self, milliseconds: int) -> str:
        """0:09 for nine seconds."""
        whole = milliseconds // 1000
        return (
            f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
            if whole >= 3600
            else f"{whole // 60}:{whole % 60:02}"
        )

    # -- for inputs ------------------------------------------------------------------------------------------------------

    def number_input(self, value: Decimal | int) -> str:
        """A number as the reader would type it, without groups."""
        plain = format(Decimal(value).normalize(), "f")
        return plain.replace(".", self.decimal_point)

    @cached_property
    def decimal_point(self) -> str:
        """The sign between whole and part."""
        return str(numbers.get_decimal_symbol(self.locale))

    def moment_input(self, value: dt.datetime) -> str:
        """The form of ``<input type=datetime-local>`` in the reader's zone."""
        return value.astimezone(self.timezone).strftime("%Y-%m-%dT%H:%M")

    # -- reading ---------------------------------------------------------------------------------------------------------

    def parse_number(self, text: str) -> Decimal:
        """A number typed with the reader's signs, or with a plain point; raises ValueError for anything else."""
        plain = _SPACES.sub("", text).replace("’", "").replace("'", "")
        point, group = self.decimal_point, str(numbers.get_group_symbol(self.locale))
        last_point, last_group = plain.rfind(point), plain.rfind(group)
        if last_point > last_group or (
            last_group >= 0 and re.fullmatch(rf"[+-]?\d{{1,3}}({re.escape(group)}\d{{3}})+", plain)
        ):
            plain = plain.replace(group, "").replace(point, ".")
        elif last_group >= 0 and group in ".,":
            plain = plain.replace(point, "").replace(group, ".")
        try:
            number = Decimal(plain)
        except InvalidOperation:
            raise ValueError(text) from None
        if not number.is_finite():
            raise ValueError(text)
        return number

    def parse_amount(self, text: str) -> Decimal:
        """An amount of money, without its currency."""
        return self.parse_number(text)
