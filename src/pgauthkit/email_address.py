"""The one spelling under which an e-mail address is stored, compared, limited and mailed."""

import unicodedata
from typing import Final

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailSyntaxError, validate_email

from pgauthkit.errors import InvalidEmailError

__all__ = ["canonical_email"]

LONGEST: Final = 254  # RFC 5321 section 4.5.3.1.3, less the angle brackets
_STRUCTURAL: Final = frozenset('@,;:<>()[]"\\')


def canonical_email(address: str) -> str:
    """Return the canonical form of an e-mail address: NFKC, lower case, the domain in ASCII (IDNA).

    One mailbox has one canonical form, and `canonical_email(canonical_email(x)) == canonical_email(x)`. Mail goes to
    this form and to no other, so that a look-alike (the Kelvin sign for `k`) reaches the owner of the plain spelling.

    Args:
        address: what the person typed. Blanks around it do not count.

    Raises:
        InvalidEmailError: it is no address of RFC 5321 with an unquoted ASCII local part (at most 64 characters) and a
            domain, 254 characters in all. `reason` says which rule was broken.

    Example:
        >>> canonical_email("Ada@Bücher.example")
        'ada@xn--bcher-kva.example'
    """
    if len(address) > LONGEST:
        raise InvalidEmailError(f"it has more than {LONGEST} characters.")
    folded = _fold(address)
    # email-validator refuses special-use domains (RFC 6761: test, localhost); below another they are plain names.
    extra = ".example" if _is_special_use(folded) else ""
    try:
        checked = validate_email(folded + extra, check_deliverability=False, globally_deliverable=False, strict=True)
    except EmailSyntaxError as error:
        raise InvalidEmailError(str(error)) from None
    domain = (checked.ascii_domain or "").removesuffix(extra)
    if not checked.local_part.isascii():
        raise InvalidEmailError("the part before the @ has characters outside ASCII.")
    if "." not in domain and domain != "localhost":
        raise InvalidEmailError("the domain has no dot.")
    return _within_limit(f"{checked.local_part}@{domain}".lower())


def _is_special_use(address: str) -> bool:
    domain = address.rpartition("@")[2]
    return any(domain == name or domain.endswith("." + name) for name in SPECIAL_USE_DOMAIN_NAMES)


def _fold(address: str) -> str:
    for character in address:
        if not character.isprintable():
            raise InvalidEmailError("it has a control character or another that cannot be seen.")
        if not character.isascii() and _STRUCTURAL.intersection(unicodedata.normalize("NFKC", character)):
            raise InvalidEmailError("it has a look-alike of a character with a meaning, such as a full-width @.")
    return unicodedata.normalize("NFKC", address).lower().strip(" ")


def _within_limit(address: str) -> str:
    if len(address) > LONGEST:
        raise InvalidEmailError(f"its ASCII form has more than {LONGEST} characters.")
    return address
