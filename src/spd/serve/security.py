"""The service's token: where it is read from, and how a request's token is compared."""

import hmac
import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path

from spd.errors import ConfigError
from spd.files import read_stream
from spd.serve.refusals import need_token

TOKEN_VARIABLE = "SPD_TOKEN"
SHORTEST_TOKEN = 16
"""Characters; a shorter token could be guessed by trying."""
_TOKEN_BYTES = 2**16


def read_token(file: Path | None) -> str | None:
    """The token in the file, else in the environment variable SPD_TOKEN, else None.

    Raises:
        ConfigError: if the file cannot be read, or does not hold a valid token.
    """
    if file is not None:
        try:
            text = read_stream(file, _TOKEN_BYTES).decode("ascii")
        except UnicodeDecodeError:
            raise ConfigError(f"--token-file {file} cannot be read: it is not ASCII text") from None
        except (OSError, ValueError) as error:
            reason = (isinstance(error, OSError) and error.strerror) or error
            raise ConfigError(f"--token-file {file} cannot be read: {reason}") from None
        return _checked(text, str(file))
    given = os.environ.get(TOKEN_VARIABLE)
    return None if given is None else _checked(given, TOKEN_VARIABLE)


def _checked(text: str, place: str) -> str:
    token = text.strip()
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable():
        raise ConfigError(
            f"{place} does not contain a valid token: expected {SHORTEST_TOKEN} or more printable "
            "ASCII characters on one line, such as the output of `openssl rand -hex 32`"
        )
    if " " in token:
        raise ConfigError(f"{place}: the token must not contain spaces")
    return token


def check_token(token: str, authorizations: Sequence[str]) -> None:
    """Refuse a request without the right token; the comparison takes constant time.

    Args:
        token: the right one.
        authorizations: every Authorization header; a proxy may have looked at another one than we.

    Raises:
        RefusalError: if there is none, more than one, or a wrong one.
    """
    scheme, _, given = (authorizations[0] if authorizations else "").partition(" ")
    right = hmac.compare_digest(given.strip().encode("utf-8", "replace"), token.encode("ascii"))
    if scheme.lower() != "bearer" or not right or len(authorizations) > 1:
        found = "has no token"
        if authorizations:
            found = "has a different token" if len(authorizations) == 1 else "has several headers"
        raise need_token(
            "this service requires its token in the header `Authorization: Bearer TOKEN`; "
            f"the request {found}"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
