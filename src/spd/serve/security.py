"""The token: where it is read from, and how it is compared."""

import hmac
import ipaddress
import os
from pathlib import Path

from spd.errors import ConfigError
from spd.serve.refusals import need_token

TOKEN_VARIABLE = "SPD_TOKEN"
SHORTEST_TOKEN = 16
"""Characters; what is shorter can be tried out."""


def read_token(file: Path | None) -> str | None:
    """The token of a file, else of the environment variable SPD_TOKEN; None where there is none.

    Raises:
        ConfigError: if the file cannot be read, or what is there is no token.
    """
    if file is not None:
        try:
            return _checked(file.read_text(encoding="ascii"), str(file))
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not ASCII text"
            raise ConfigError(f"--token-file {file} cannot be read: {reason}") from None
    given = os.environ.get(TOKEN_VARIABLE)
    return None if given is None else _checked(given, TOKEN_VARIABLE)


def _checked(text: str, place: str) -> str:
    token = text.strip()
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable():
        raise ConfigError(
            f"{place} holds no token: expected {SHORTEST_TOKEN} or more printable ASCII characters "
            "on one line, such as `openssl rand -hex 32` writes"
        )
    if " " in token:
        raise ConfigError(f"{place}: a token has no spaces")
    return token


def check_token(token: str, authorization: str | None) -> None:
    """Refuse a request that does not bear the token; how long that takes does not tell why.

    Raises:
        RefusalError: if the header is missing or another.
    """
    scheme, _, given = (authorization or "").partition(" ")
    right = hmac.compare_digest(given.strip().encode("utf-8", "replace"), token.encode("ascii"))
    if scheme.lower() != "bearer" or not right:
        raise need_token(
            "this service wants its token in the header `Authorization: Bearer TOKEN`; "
            + ("none was sent" if authorization is None else "another was sent")
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what is bound there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
