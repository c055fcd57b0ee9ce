"""Which web pages and host names may use the service: checks of Origin, Host and Sec-Fetch-Site.

A browser sends requests of any page to any address that its user can reach, this machine's
included. `Origin` names the page that sent a request. `Host` is the name by which the page knows
the service: without a check of it, a page whose own name was made to point to this machine (DNS
rebinding) would count as the service's own. Programs other than browsers send no `Origin`.
"""

import dataclasses
import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.datastructures import Headers

from spd.serve.refusals import RefusalError, foreign
from spd.serve.security import is_loopback

ALWAYS_ALLOWED = ("localhost", "127.0.0.1", "::1")
"""Hosts that pass without an option, as the address does at which a request arrived."""

_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:/\\@?#%*,\s]+)(?::([0-9]{1,5}))?")
_NAME = re.compile(r"(?:[a-z0-9_-]+\.)*[a-z0-9_-]+")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_LAST_PORT = 65535
_PORTS = {"http": 80, "https": 443}
_READING = ("GET", "HEAD")
_MOST_SHOWN = 80  # characters of a client's header in a message


@dataclasses.dataclass(frozen=True, slots=True)
class _Authority:
    """A host in lower case, without brackets, and a port; None: the default one."""

    host: str
    port: int | None


class Visitors:
    """Refuses requests of foreign web pages, and requests under foreign names.

    Args:
        hosts: host names and addresses that may be asked for, beside `ALWAYS_ALLOWED`.
        origins: origins of web pages that may send requests, beside the service's own.
    """

    def __init__(self, hosts: Iterable[str], origins: Iterable[str]) -> None:
        self._hosts = {_plain(host) for host in (*ALWAYS_ALLOWED, *hosts)}
        self._origins = set(origins)

    def check(self, scope: Mapping[str, Any]) -> None:
        """Refuse a request that another web page sent, or that names another host.

        Raises:
            RefusalError: if a header is foreign; the message names the option that allows it.
        """
        headers = Headers(raw=scope["headers"])
        local = _plain((scope.get("server") or ("",))[0])
        asked = [self._checked_host(text, local) for text in headers.getlist("host")]
        origins = headers.getlist("origin")
        for text in origins:
            if text not in self._origins and not self._is_own(text, asked, local):
                raise _foreign_page(f"Origin {text[:_MOST_SHOWN]!r}", "--allow-origin")
        if not origins:
            _check_fetch(scope["method"], headers)

    def _checked_host(self, text: str, local: str) -> _Authority:
        """The parts of a Host header.

        An IP address needs no name server, so a page cannot have made it point here. It passes
        where the request came over a network: behind port forwarding, it is not `local`.
        """
        found = _authority(text)
        if found is not None:
            known = found.host in self._hosts or found.host == local
            remote = _is_address(local) and not is_loopback(local)
            if known or (remote and _is_address(found.host)):
                return found
        raise foreign(
            f"Host {text[:_MOST_SHOWN]!r} is not a name of this service; ask for it by its "
            "address, or start it with --allow-host and this name"
        )

    def _is_own(self, origin: str, asked: list[_Authority], local: str) -> bool:
        """Whether an origin is that of the service's own page, under any of its names.

        A proxy may have removed TLS, so the scheme does not count.
        """
        scheme, _, rest = origin.lower().partition("://")
        page = _authority(rest)
        if scheme not in _PORTS or page is None:
            return False
        default = _PORTS[scheme]
        port = page.port or default
        names = self._hosts | {local}
        return any(
            port == (own.port or default) and (page.host == own.host or page.host in names)
            for own in asked
        )


def checked_host(text: str) -> str:
    """A value of --allow-host as browsers write it.

    Raises:
        ValueError: if it is not a host name or an IP address without a port.
    """
    host = _plain(text)
    found = _authority(f"[{host}]" if ":" in host else host)
    name = None if found is None else _name(found.host)
    if name is None:
        raise ValueError(
            f"{text!r} is not a host; expected a name or an IP address without a port, such as "
            "depth.example.org; patterns such as *.local are not known, so repeat the option for "
            "each name"
        )
    return name


def checked_origin(text: str) -> str:
    """A value of --allow-origin as browsers write it: lower case, without a default port.

    Raises:
        ValueError: if it is neither `scheme://host[:port]` nor `null`.
    """
    if text == "null":
        return text
    scheme, _, rest = text.lower().partition("://")
    found = _authority(rest.removesuffix("/"))
    host = None if found is None else _name(found.host)
    if found is None or host is None or not _SCHEME.fullmatch(scheme):
        raise ValueError(
            f"{text!r} is not an origin; expected scheme://host[:port], such as "
            "https://example.org, or null for pages opened from a file; patterns with * are not "
            "known, so repeat the option for each origin"
        )
    host = f"[{host}]" if ":" in host else host
    default = found.port in (None, _PORTS.get(scheme))
    return f"{scheme}://{host}" + ("" if default else f":{found.port}")


def _check_fetch(method: str, headers: Headers) -> None:
    """Refuse what a browser sends for another page without naming the page.

    Browsers name the page with every request that changes something, but not when a page embeds an
    image or a script. A link that a user follows passes: a GET changes nothing here.
    """
    site = headers.get("sec-fetch-site", "").lower()
    reading = method in _READING
    if site == "cross-site" or (site == "same-site" and not reading):
        followed = headers.get("sec-fetch-mode") == "navigate"
        if not (reading and followed and headers.get("sec-fetch-dest", "document") == "document"):
            raise _foreign_page(f"Sec-Fetch-Site {site}", "crossorigin in HTML and --allow-origin")


def _foreign_page(found: str, option: str) -> RefusalError:
    return foreign(
        f"a web page of another origin sent this request ({found}); to allow it, use {option} with "
        "the page's origin"
    )


def _authority(text: str) -> _Authority | None:
    """Parts of `host[:port]`; None where the text has another form."""
    match = _HOST.fullmatch(text)
    if match is None:
        return None
    port = None if match[2] is None else int(match[2])
    return None if port is not None and port > _LAST_PORT else _Authority(_plain(match[1]), port)


def _name(host: str) -> str | None:
    """A host in ASCII, as browsers send it; None if none of them could."""
    if _is_address(host):
        return host
    try:
        host = host.encode("idna").decode("ascii")
    except UnicodeError:  # an empty or a long label
        return None
    return host if _NAME.fullmatch(host) else None


def _plain(host: str) -> str:
    """One spelling for each host: `LOCALHOST.`, `[::1]` and `0:0:0:0:0:0:0:1` are common ones."""
    host = host.lower()
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if ":" in host:
        host = host.partition("%")[0]  # the interface of fe80::1%eth0, which no browser sends
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.removesuffix(".")
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
