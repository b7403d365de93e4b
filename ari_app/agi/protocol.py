"""FastAGI as Asterisk speaks it: the header block, commands and replies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

# Asterisk itself sends about 25 headers and reads lines of at most 2048 octets (res_agi.c).
MAX_BLOCK = 16_384
MAX_HEADERS = 128

_HEADER = re.compile(r"(agi_[a-z0-9_]{1,64}): ?(.*)")
_REPLY = re.compile(r"([0-9]{3})([ -])(?:result=(\S*)(?: \((.*)\))?.*|.*)")
_SCRIPT = re.compile(r"[a-z][a-z_-]{0,31}")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class AgiRequest:
    """What Asterisk says of the channel when it connects."""

    headers: Mapping[str, str]

    @property
    def script(self) -> str:
        """The path of agi://host/path, "" if it cannot be the name of a script."""
        path = self.headers.get("agi_network_script", "")
        name = path.partition("?")[0].strip("/")
        return name if _SCRIPT.fullmatch(name) else ""

    @property
    def caller(self) -> str:
        """The first argument of AGI(), else the caller's number; "" if it is withheld."""
        number = self.argument(1) or self._known("agi_callerid")
        # PJSIP leaves the user part of the From there, which is a word when it is withheld.
        return number if any(c.isdigit() for c in number) else ""

    @property
    def did(self) -> str:
        """The second argument of AGI(), else the number that was dialled."""
        # In a subroutine agi_extension is `s`; agi_dnid stays what was dialled.
        return self.argument(2) or self._known("agi_dnid") or self._known("agi_extension")

    @property
    def unique(self) -> str:
        """Asterisk's id of the channel, another one for each call; "" if it does not say."""
        return self._known("agi_uniqueid")

    def argument(self, number: int) -> str:
        """What AGI() was given behind the address, from 1 on; "" if there is no such argument.

        The first is the caller, the second the DID; what a use needs besides comes from 3 on.
        """
        return self.headers.get(f"agi_arg_{number}", "").strip()

    def _known(self, name: str) -> str:
        value = self.headers.get(name, "")
        return "" if value == "unknown" else value  # res_agi.c writes this word for none


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one command: `200 result=1 (value)`, `510 Invalid or unknown command`."""

    code: int
    result: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class Hangup:
    """The caller has hung up: not the answer to anything, the script goes on."""


@dataclass(frozen=True, slots=True)
class More:
    """A line of the explanation that comes before `520 End of proper usage.`"""


def parse_request(block: bytes) -> AgiRequest:
    """The header block up to its empty line; ValueError with one sentence if it is none."""
    if len(block) > MAX_BLOCK:
        raise ValueError("the header block is too long")
    headers: dict[str, str] = {}
    lines = block.decode("utf-8", "replace").rstrip("\n").split("\n")
    if len(lines) > MAX_HEADERS:
        raise ValueError("the header block has too many lines")
    for line in lines:
        match = _HEADER.fullmatch(line.rstrip("\r"))
        if match is None:
            raise ValueError("a line is not an agi_ header")
        headers[match[1]] = match[2]
    return AgiRequest(headers)


def parse_reply(line: bytes) -> Reply | Hangup | More:
    """One line from Asterisk after a command; ValueError with one sentence if it is none."""
    text = line.decode("utf-8", "replace").rstrip("\r\n")
    if text == "HANGUP":
        return Hangup()
    match = _REPLY.fullmatch(text)
    if match is None:
        # Between `520-` and `520 ` the usage text comes as it is in the documentation.
        raise ValueError("a line is neither a reply nor HANGUP")
    if match[2] == "-":
        return More()
    return Reply(int(match[1]), match[3] or "", match[4] or "")


def set_variable(name: str, value: str) -> bytes:
    """SET VARIABLE; ValueError if name or value could be read as anything else."""
    if not _VARIABLE.fullmatch(name):
        raise ValueError("a channel variable is named with capital letters, digits and _")
    return f"SET VARIABLE {name} {_quoted(value)}\n".encode()


def verbose(text: str) -> bytes:
    """VERBOSE: a line on Asterisk's console."""
    return f"VERBOSE {_quoted(text)} 1\n".encode()


def _quoted(text: str) -> str:
    if any(c < " " or c == "\x7f" for c in text):
        raise ValueError("a command is one line of text")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
