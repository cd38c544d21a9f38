"""The HTTP client of the mirror: every way in which a request can fail, as one plain sentence.

Proxies come from http_proxy, https_proxy and no_proxy; further certificate authorities from SSL_CERT_FILE. A file is
asked for as it is (Accept-Encoding: identity) and taken as it comes: Apache says Content-Encoding: gzip of a .gz file.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from pxed.assets.mirror.errors import DownloadError, NotThere

# Measured with 500 MB over loopback: 1.10 s of CPU with 256 KiB, 1.87 s with aiohttp's own 64 KiB.
_BUFFER = 256 << 10
_MAX_REDIRECTS = 10
_RETRIED = (408, 425, 429)  # besides 5xx


class Client:
    """One session: connections are kept and used again."""

    def __init__(self, connect: float, stall: float) -> None:
        self._stall = stall
        self._session = aiohttp.ClientSession(
            trust_env=True,
            auto_decompress=False,
            read_bufsize=_BUFFER,
            headers={"User-Agent": "pxed", "Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect, sock_read=stall),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    @contextlib.asynccontextmanager
    async def get(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        """A response of 200, or of 206 or 416 when a Range was asked for. Also for what goes wrong while its body is
        read: raises DownloadError, NotThere."""
        try:
            async with self._session.get(URL(url), headers=headers, max_redirects=_MAX_REDIRECTS) as response:
                if response.status != 200 and not ("Range" in headers and response.status in (206, 416)):
                    raise _refused(url, response)
                _check(url, response)
                yield response
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise _failure(url, error, self._stall) from None


def shown(url: str | URL) -> str:
    """A URL as it may stand in a log: without password and query."""
    try:
        return str(URL(url).with_user(None).with_query(None))
    except ValueError:
        return str(url)


def _refused(url: str, response: aiohttp.ClientResponse) -> DownloadError:
    where = shown(url) if not response.history else f"{shown(url)} (redirected to {shown(response.url)})"
    said = f"{where} answered {response.status} {response.reason or ''}".rstrip()
    if response.status in (404, 410):
        return NotThere(said)
    return DownloadError(said, transient=response.status >= 500 or response.status in _RETRIED)


def _check(url: str, response: aiohttp.ClientResponse) -> None:
    if url.startswith("https:") and response.url.scheme != "https":
        raise DownloadError(f"{shown(url)} redirects to {shown(response.url)}, which is not https: it is not followed")
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding != "identity" and not url.endswith(".gz"):
        raise DownloadError(
            f"{shown(url)} is sent with Content-Encoding: {encoding}, which was not asked for: let the server, or the "
            "proxy before it, send files as they are"
        )


def _failure(url: str, error: Exception, stall: float) -> DownloadError:
    """The sentence for what aiohttp raised. The order matters: some of these are subclasses of others."""
    where = shown(url) + _proxy(url)
    match error:
        case aiohttp.TooManyRedirects():
            return DownloadError(f"{where} redirects more than {_MAX_REDIRECTS} times")
        case aiohttp.InvalidURL():
            return DownloadError(f"{where} leads to {str(error)[:200]}, which is no http or https URL")
        case aiohttp.ClientSSLError():
            return DownloadError(f"{where}: no TLS connection: {_cause(error)}: is its authority known to this host?")
        case aiohttp.ClientHttpProxyError():
            return DownloadError(f"{where}: the proxy answered {error.status} {error.message}", transient=True)
        case aiohttp.ClientConnectorError():
            return DownloadError(
                f"{where}: no connection to {error.host}:{error.port}: {_cause(error)}", transient=True
            )
        case aiohttp.ConnectionTimeoutError():
            return DownloadError(f"{where}: no connection in time", transient=True)
        case TimeoutError():
            return DownloadError(f"{where} sent nothing for {stall:g} seconds", transient=True)
        case aiohttp.ClientResponseError():
            return DownloadError(f"{where} did not answer in HTTP: {error.message}", transient=True)
        case aiohttp.ClientPayloadError() | aiohttp.ClientConnectionError() | OSError():
            return DownloadError(f"{where}: the connection broke before the end", transient=True)
    return DownloadError(f"{where} cannot be asked for: {error}")


def _proxy(url: str) -> str:
    """What to add to a URL whose requests the environment sends through a proxy."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme, "")
    if not proxy or proxy_bypass(parts.hostname or ""):
        return ""
    return f" (by the proxy {shown(proxy)} of the environment)"


def _cause(error: aiohttp.ClientConnectorError | aiohttp.ClientSSLError) -> str:
    inner = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    return str(getattr(inner, "strerror", None) or getattr(inner, "verify_message", None) or inner)
