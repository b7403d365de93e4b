"""What can be told from a number alone: its country, its kind, and the clocks it may live by."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumber, PhoneNumberDesc

# In the order in which phonenumbers asks: the first that fits is the kind.
_KINDS = (
    "premium_rate toll_free shared_cost voip personal_number pager uan voicemail fixed_line mobile"
).split()
#: Every kind that `Facts.kind` may be.
KINDS = frozenset({*_KINDS, "fixed_line_or_mobile", "unknown"})
#: Numbers of no country, such as those of satellite networks.
NOWHERE = "001"
_NO_ZONE = "Etc/Unknown"


class Facts(NamedTuple):
    """`region` is an ISO 3166 country, or `001`; `kind` is one of KINDS."""

    region: str
    kind: str


# Numbers are seen again: in retries, and in conversations.
@functools.lru_cache(maxsize=10_000)
def facts_of(number: str) -> Facts:
    """Of an E.164 number. One that no plan has assigned yet is of the plan's main country."""
    code, national = _apart(number)
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(code, (NOWHERE,))
    for region in regions:
        plan = _plan(NOWHERE if len(region) != 2 else region, code)
        kind = plan.kind_of(national)
        if len(regions) == 1 or kind != "unknown" or plan.leads(national):
            return Facts(region, kind)
    return Facts(regions[0], "unknown")


@functools.lru_cache(maxsize=10_000)
def zones_of(number: str) -> tuple[ZoneInfo, ...]:
    """All time zones in which whoever has this E.164 number may be; none if nobody knows.

    None too if this machine lacks one of them, so that no hour is taken for allowed.
    """
    # Half a megabyte, that only quiet hours need.
    from phonenumbers.timezone import time_zones_for_number

    names = time_zones_for_number(_parsed(number))
    if _NO_ZONE in names:
        return ()
    try:
        return tuple(ZoneInfo(name) for name in names)
    except ZoneInfoNotFoundError:
        return ()


def _apart(number: str) -> tuple[int, str]:
    """The country code, of one to three digits, and the rest: no code begins another one."""
    for length in (2, 3):
        code = int(number[1:length])
        if code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            return code, number[length:]
    return int(number[1:4]), number[4:]


def _parsed(number: str) -> PhoneNumber:
    """As phonenumbers.parse reads it, in a tenth of the time: there is nothing to guess."""
    code, national = _apart(number)
    zeros = len(national) - len(national.lstrip("0"))
    return PhoneNumber(
        country_code=code,
        national_number=int(national or "0"),
        italian_leading_zero=True if zeros and len(national) > 1 else None,
        number_of_leading_zeros=zeros if zeros > 1 else None,
    )


class _Plan:
    """The numbers of one country: what phonenumbers.number_type asks, its patterns made once."""

    def __init__(self, plan: PhoneMetadata | None) -> None:
        self._leads = plan and plan.leading_digits and re.compile(plan.leading_digits)
        self._any = _pattern(plan, "general_desc")
        # One look for all kinds; of several that fit the first is taken.
        known = [(kind, found) for kind in _KINDS if (found := _pattern(plan, kind)) is not None]
        self._kinds = re.compile("|".join(f"(?P<{kind}>{found.pattern})" for kind, found in known))
        self._mobile = dict(known).get("mobile")

    def leads(self, national: str) -> bool:
        """Whether its beginning is of this country alone."""
        return bool(self._leads and self._leads.match(national))

    def kind_of(self, national: str) -> str:
        """One of KINDS."""
        if self._any is None or not self._any.fullmatch(national):
            return "unknown"
        found = self._kinds.fullmatch(national)
        kind = found.lastgroup if found else None
        if kind == "fixed_line" and self._mobile and self._mobile.fullmatch(national):
            return "fixed_line_or_mobile"
        return kind or "unknown"


@functools.cache
def _plan(region: str, code: int) -> _Plan:
    return _Plan(PhoneMetadata.metadata_for_region_or_calling_code(code, region))


def _pattern(plan: PhoneMetadata | None, name: str) -> re.Pattern[str] | None:
    desc = plan and getattr(plan, name)
    # The stubs have a whole plan in the place of one of its descriptions.
    text = desc.national_number_pattern if isinstance(desc, PhoneNumberDesc) else None
    return re.compile(text) if text else None
