"""The way to a hub over HTTP, by aiohttp."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from io import BytesIO
from pathlib import Path
from time import time
from typing import Final

import aiohttp
from yarl import URL

from moorline.errors import HubError, HubUnavailableError
from moorline.home_loop import HomeLoop
from moorline.transport import Answer, StreamedAnswer

CONNECT_TIMEOUT_S: Final = 10.0

# A hub says something on each stream well within this time; after it, the stream is given up and opened again.
SILENCE_S_MAX: Final = 60.0

# Requests of one client at once; more wait their turn. A client that asks for more is a load test.
CONNECTIONS_MAX: Final = 64

# What aiohttp reads ahead of a slow reader before it stops reading the socket.
READ_AHEAD_BYTES: Final = 256 * 1024

# A longer body is written in pieces: the library warns of one that it has to write at once, and where warnings are
# errors the request would fail.
WHOLE_BYTES_MAX: Final = 1024 * 1024


class HttpTransport:
    """HTTP/1.1 with connections that are kept. Made anywhere, used on one event loop.

    Args:
        url: where the hub's HTTP port is, such as ``https://hub.example.com``; may have a path before ``/v1``.
        token: sent as bearer token with each request, without the spaces and line ends of the file that it comes from.
        ca: a file of certificates (PEM) to trust instead of the system's.
        proxy: an HTTP proxy; the environment is not looked at.

    Raises:
        ValueError: the url has no host, or is not http or https; the token cannot be sent.
        OSError: ``ca`` cannot be read.
    """

    def __init__(self, url: str, *, token: str | None = None, ca: Path | str | None = None, proxy: str | None = None):
        self._base = _checked_url(url)
        self._ssl = _trusting(ca) if ca is not None else True
        self._proxy = proxy
        bare = _checked_token(token or "")
        self._headers = {"Authorization": f"Bearer {bare}"} if bare else {}
        self._urls: dict[str, URL] = {}
        self._session: aiohttp.ClientSession | None = None
        self._home = HomeLoop()
        self._closed = False
        self._was_answered = False

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
        timeout_s: float,
    ) -> Answer:
        """See `Transport.request`."""
        headers = {} if body is None else {"Content-Type": content_type}
        data = BytesIO(body) if body is not None and len(body) > WHOLE_BYTES_MAX else body
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._opened().request(
                    method, self._url(path), params=query, data=data, headers=headers, allow_redirects=False
                ) as response,
            ):
                self._was_answered = True
                return Answer(
                    status=response.status, body=await response.read(), retry_after_s=_retry_after_s(response.headers)
                )
        except TimeoutError as error:
            raise HubUnavailableError(f"{self._base} has not answered within {timeout_s:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise self._unavailable(error) from error

    @asynccontextmanager
    async def stream(self, path: str, *, query: Mapping[str, str]) -> AsyncIterator[StreamedAnswer]:
        """See `Transport.stream`."""
        timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_TIMEOUT_S, sock_read=SILENCE_S_MAX)
        try:
            async with self._opened().get(
                self._url(path), params=query, headers={"Accept": "text/event-stream"}, timeout=timeout,
                allow_redirects=False,
            ) as response:  # fmt: skip
                self._was_answered = True
                try:
                    yield StreamedAnswer(
                        status=response.status,
                        pieces=self._pieces(response),
                        retry_after_s=_retry_after_s(response.headers),
                    )
                finally:
                    _drop(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unavailable(error) from error

    async def _pieces(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        try:
            async for piece in response.content.iter_any():
                yield piece
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unavailable(error) from error

    async def close(self) -> None:
        """See `Transport.close`."""
        if self._session is not None:
            self._home.check()
        self._closed = True
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._closed:
            raise HubError("the client is closed", remedy="make another one")
        self._home.check()
        if self._session is None:
            # Not in the constructor: a session belongs to the event loop that runs when it is made.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX, ssl=self._ssl),
                headers={**self._headers, "User-Agent": "moorline"},
                # Deadlines of requests are the callers'.
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                proxy=self._proxy,
                read_bufsize=READ_AHEAD_BYTES,
                skip_auto_headers={"Accept-Encoding"},
            )
        return self._session

    def _url(self, path: str) -> URL:
        # Ids are in the paths, so only the few without one are kept.
        if path.count("/") > 2:
            return self._joined(path)
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = self._joined(path)
        return url

    def _joined(self, path: str) -> URL:
        return self._base.with_path(self._base.raw_path.rstrip("/") + path, encoded=True)

    def _unavailable(self, error: Exception) -> HubUnavailableError:
        # A hub that has answered speaks as it is spoken to: whatever it is now, it is not that.
        remedy = "" if self._was_answered else _other_scheme(error, self._base)
        return HubUnavailableError(f"{self._base} cannot be reached: {_reason(error)}", remedy=remedy)


def _other_scheme(error: Exception, base: URL) -> str:
    """Say what may be wrong about an address whose other end speaks TLS and is not told so, or the other way round."""
    if base.scheme == "http" and isinstance(error, aiohttp.ServerDisconnectedError):
        return f"if the hub wants TLS, write {base.with_scheme('https')}"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "give the authority that signed it as ca (on the command line --ca or MOORLINE_CA)"
    if base.scheme == "https" and isinstance(error, aiohttp.ClientSSLError):
        return f"if the hub has no TLS, write {base.with_scheme('http')}"
    return ""


def _reason(error: Exception) -> str:
    """Say why there was no answer; of a refusal by the system in its own words, which aiohttp's bury."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        wrong = error.certificate_error
        return f"its certificate is not good: {getattr(wrong, 'verify_message', '') or wrong}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the connection was closed before it was answered"
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        wrong = error.os_error
        return f"TLS failed: {(getattr(wrong, 'reason', '') or str(wrong)).replace('_', ' ').lower()}"
    if isinstance(error, aiohttp.ClientConnectorError) and not isinstance(error, aiohttp.ClientConnectorDNSError):
        number = error.os_error.errno
        if number is not None and not isinstance(error, aiohttp.ClientSSLError) and number > 0:
            return os.strerror(number)
    return str(error) or type(error).__name__


def _checked_token(token: str) -> str:
    bare = token.strip()
    # Without the token itself: errors are logged. What is not printable ASCII cannot stand in a header.
    if not all("!" <= character <= "~" for character in bare):
        raise ValueError("the token holds a space, a line end or a letter beyond ASCII; one is like moor_Ab3…")
    return bare


def _trusting(ca: Path | str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except ssl.SSLError as error:
        raise OSError(f"ca is {str(ca)!r}, which holds no certificate (PEM)") from error
    except FileNotFoundError as error:
        raise FileNotFoundError(error.errno, error.strerror, str(ca)) from error


def _checked_url(url: object) -> URL:
    parsed = URL(url) if isinstance(url, str) else URL()
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ValueError(f"the hub's url is {url!r}; it must be like http://127.0.0.1:8780")
    return parsed.with_query(None).with_fragment(None)


def _drop(response: aiohttp.ClientResponse) -> None:
    """Drop the connection of a stream that is left before its end: over TLS, a farewell that waits for the hub's would
    outlast the event loop of a program that ends here.
    """
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Read `Retry-After`: seconds or a date (RFC 9110, 10.2.3); None if there is none that can be read."""
    text = headers.get("Retry-After")
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time())
    except ValueError:
        return None
