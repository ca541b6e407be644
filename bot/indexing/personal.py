"""The detector of personal data that comes with the bot: addresses, telephones, accounts, cards.

It finds what has a form and, where there is one, a check sum. Names and postal addresses need a
model: a plugin's `bot_personal_data`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from bot.document import PersonalData

_EMAIL = re.compile(
    r"(?<![\w.+-])[\w][\w.+-]{0,63}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![\w-])"
)
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{1,4}){3,8}(?!\w)", re.IGNORECASE)
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-]|\.\d)")
_PHONE = re.compile(
    r"(?<![\w.,/+-])(?:"
    r"(?:\+|00)[1-9]\d{0,2}[ .\-/]?(?:\(0?\d{1,5}\)[ .\-/]?)?\d{1,5}(?:[ .\-/]?\d{2,5}){1,5}"
    r"|\(0\d{1,5}\)[ ]?\d{2,5}(?:[ .\-/]?\d{2,5}){0,3}"
    r"|0[1-9]\d{0,4}[ \-/]\d{2,5}(?:[ \-]?\d{2,5}){0,3}"
    r"|(?:\([2-9]\d{2}\)[ ]?|[2-9]\d{2}[.\- ])[2-9]\d{2}[.\- ]\d{4}"
    r"|1[3-9]\d{9}"
    r")(?![\w-]|[.,/]\d)"
)
_LENGTHS = range(8, 16)  # digits of a telephone number, E.164 and the shortest in use

# ISO 13616: how long an account number of each country is.
_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22,
    "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28,
    "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23,
    "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26,
    "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20,
    "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30,
    "NL": 18, "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22,
    "SA": 24, "SC": 31, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "ST": 25, "SV": 28, "TL": 23,
    "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip

KINDS = ("email", "iban", "card", "phone")


def personal_data(text: str) -> Sequence[PersonalData]:
    """Find e-mail addresses, IBANs, card numbers and telephone numbers, in time linear in length.

    An IBAN has its country's length and its check digits (ISO 7064), a card number its check digit
    (ISO/IEC 7812-1). A telephone number has no check: it is told by how it is written.
    """
    checks: tuple[tuple[str, re.Pattern[str], Callable[[str], int]], ...] = (
        ("email", _EMAIL, len),
        ("iban", _IBAN, _iban),
        ("card", _CARD, _card),
        ("phone", _PHONE, _phone),
    )
    return [found for kind, form, check in checks for found in _found(text, kind, form, check)]


def _found(
    text: str, kind: str, form: re.Pattern[str], check: Callable[[str], int]
) -> Iterator[PersonalData]:
    for match in form.finditer(text):
        if length := check(match[0]):
            yield PersonalData(start=match.start(), end=match.start() + length, kind=kind)


def _iban(written: str) -> int:
    """Return how much of what is written is an IBAN: words may follow it."""
    wanted = _IBAN_LENGTHS.get(written[:2].upper(), 0)
    plain = ""
    for at, character in enumerate(written, 1):
        plain += character.upper() if character.isalnum() else ""
        if wanted and len(plain) == wanted:
            turned = "".join(str(int(each, 36)) for each in plain[4:] + plain[:4])
            ends = at == len(written) or not written[at].isalnum()
            return at if ends and int(turned) % 97 == 1 else 0
    return 0


def _card(written: str) -> int:
    """Check a card number as Luhn does; all zeros pass his check and are none."""
    digits = [int(each) for each in written if each.isdigit()]
    doubled = [sum(divmod(2 * each, 10)) for each in digits[-2::-2]]
    right = digits[0] != 0 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
    return len(written) if right else 0


def _phone(written: str) -> int:
    return len(written) if sum(map(str.isdigit, written)) in _LENGTHS else 0
