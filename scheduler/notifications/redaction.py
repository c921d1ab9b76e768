"""What is cut out of free text before it becomes part of a notification. Pure.

An event is made of ids, addresses and names of operations; values of resources have no place in it. The one free text
in it is the reason that a run or a person gave, and that one may quote what a provisioner printed. This is a net below
that, not a proof: it knows secrets by their form.
"""

from __future__ import annotations

import re
from typing import Final

MASK: Final = "***"
#: Longer texts are cut before anything is searched, so that the work is bounded.
MAX_INPUT_CHARS: Final = 8_192

# No pattern repeats without a bound before its own word: whoever writes the text must not buy our time with it.
_PATTERNS: Final = (
    # A private key, also one whose end was cut off.
    (
        re.compile(
            r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)", re.DOTALL
        ),
        MASK,
    ),
    # User and password of a URL.
    (re.compile(r"(?<=://)[^/\s@]+@"), f"{MASK}@"),
    # Access key ids, and tokens that say by their beginning what they are.
    (re.compile(r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"), MASK),
    (re.compile(r"\b(?:whsec_|gh[oprsu]_|github_pat_|glpat-|xox[abeoprs]-|sk_live_|eyJ)[\w.+/=-]{8,}"), MASK),
    (re.compile(r"(?i)\bhooks\.slack\.com/\S+"), f"hooks.slack.com/{MASK}"),
    (re.compile(r"(?i)\b(bearer|basic)\s{1,8}[\w.~+/=-]{8,}"), rf"\1 {MASK}"),
    # name = value, "name": "value", --name value
    (
        re.compile(
            r"""(?ix)
            ( (?: password | passwd | pwd | secret | token | credential | api_?key | access_?key | private_?key
              | passphrase | authorization ) [\w.-]{0,64} ["']? \s{0,8} [:=] \s{0,8} )
            (?: "(?:[^"\\]|\\.)*" | '[^']*' | [^\s,;}\]]+ )
            """
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"(?i)(--[\w-]{0,32}(?:password|secret|token|key)[\w-]{0,32}\s{1,8})[^\s-]\S*"), rf"\1{MASK}"),
)
#: 40 characters and more that no word is made of, as AWS's secret keys; digests are lower case and stay.
_OPAQUE: Final = re.compile(r"(?<![\w+/])(?=[\w+/]*[a-z])(?=[\w+/]*[A-Z])(?=[\w+/]*[0-9])[A-Za-z0-9+/]{40,}={0,2}")


def redacted(text: str) -> str:
    """The text with whatever looks like a secret replaced by `***`."""
    text = text[:MAX_INPUT_CHARS]
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return _OPAQUE.sub(MASK, text)


def one_line(text: str, limit: int) -> str:
    """The redacted text as one line of printable characters, cut at `limit`.

    No line break, so that it cannot begin a header; nothing invisible, so that it reads as it is.
    """
    plain = " ".join("".join(char if char.isprintable() else " " for char in redacted(text)).split())
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"
