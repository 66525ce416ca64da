"""One HTTP request at a time to one server, that whoever waits for can leave at any moment.

The request runs in a thread of its own and hands lines over; the caller looks at its stop flag between them. Leaving
shuts the socket down, which ends the thread and, on servers that notice it, the computation.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import queue
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from kaggle_magics import __version__
from kaggle_magics.credentials import Secret
from kaggle_magics.errors import EngineError, KaggleMagicsError
from kaggle_magics.models.engines.endpoint.reference import is_loopback

POLL_SECONDS = 0.05
"""How often a stop flag is looked at while nothing comes."""
LONGEST_LINE = 16 * 2**20
"""Bytes; a line or an answer beyond it is no chat completion."""
_MOST_REDIRECTS = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds that may pass, and how often a request is tried again before its first token."""

    connect: float = 10.0
    """To reach the server."""
    idle: float = 300.0
    """Without a byte: a long prompt on a slow machine takes minutes to read."""
    retries: int = 3
    backoff: float = 0.5
    """Before the first retry; it doubles each time, and chance takes off up to half."""
    longest_wait: float = 60.0
    """The longest Retry-After that is waited for."""


class Cancelled(Exception):
    """The caller's stop flag was set."""


class Unreachable(EngineError):
    """The connection failed. `again` tells that trying again may help."""

    def __init__(self, message: str, hint: str | None = None, *, again: bool = False) -> None:
        super().__init__(message, hint)
        self.again = again


@dataclass(frozen=True, slots=True)
class Head:
    """The first lines of a response."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""

    @property
    def is_event_stream(self) -> bool:
        return self.headers.get("content-type", "").casefold().startswith("text/event-stream")


class Exchange:
    """A request and its response: `head`, then `lines` or `body`. Closed by `close`, from any thread, and more than
    once without harm."""

    def __init__(self, client: Client, method: str, url: str, body: bytes | None) -> None:
        self._client, self._method, self._url, self._body = client, method, url, body
        self._came: queue.SimpleQueue[Head | bytes | Exception | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        # Not the connection: http.client lets go of its socket once a response has begun.
        self._socket: socket.socket | None = None
        self._closed = False
        threading.Thread(target=self._run, name="kaggle_magics-endpoint", daemon=True).start()

    def head(self, stop: threading.Event) -> Head:
        """Wait for the response's first lines. Raises `Unreachable` and `Cancelled`."""
        head = self._next(stop)
        if not isinstance(head, Head):
            raise Unreachable("The server closed the connection without an answer.", again=True)
        return head

    def lines(self, stop: threading.Event) -> Iterator[bytes]:
        """The body line by line, as it comes. Raises `Unreachable` and `Cancelled`."""
        while isinstance(line := self._next(stop), bytes):
            yield line

    def body(self, stop: threading.Event) -> bytes:
        """The whole body, up to `LONGEST_LINE`."""
        data = b""
        for line in self.lines(stop):
            data += line
            if len(data) > LONGEST_LINE:
                self.close()
                break
        return data

    def close(self) -> None:
        with self._lock:
            self._closed = True
            sock, self._socket = self._socket, None
        if sock is not None:
            # Closing alone would not wake the thread that reads from it.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def _next(self, stop: threading.Event) -> Head | bytes | None:
        while True:
            if stop.is_set():
                self.close()
                raise Cancelled
            try:
                came = self._came.get(timeout=POLL_SECONDS)
            except queue.Empty:
                continue
            if isinstance(came, Exception):
                raise came
            return came

    def _run(self) -> None:
        connection: http.client.HTTPConnection | None = None
        try:
            connection, response = self._respond()
            self._came.put(Head(response.status, {name.casefold(): value for name, value in response.getheaders()}))
            while line := response.readline(LONGEST_LINE):
                self._came.put(line)
        except Exception as error:
            self._came.put(self._client.explain(error))
        finally:
            self._came.put(None)
            self.close()
            if connection is not None:
                connection.close()

    def _respond(self) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Send, and follow redirects that stay on the server."""
        url = urlsplit(self._url)
        for _ in range(_MOST_REDIRECTS + 1):
            connection = self._client.open(url)
            try:
                with self._lock:
                    if self._closed:
                        raise ConnectionAbortedError("closed while connecting")
                    self._socket = connection.sock
                connection.request(self._method, self._client.target(url), self._body, self._client.headers(url))
                response = connection.getresponse()
            except BaseException:
                connection.close()
                raise
            place = response.getheader("Location")
            if response.status not in (301, 302, 307, 308) or not place:
                return connection, response
            connection.close()
            url = _same_server(url, place)
        raise Unreachable("The server redirects in a circle.")


class Client:
    """How one server is reached: its key, its proxy, its limits."""

    def __init__(self, url: str, key: Secret | None, limits: Limits) -> None:
        self.url, self._key, self.limits = url, key, limits
        self._host = urlsplit(url).hostname or ""
        self._proxy = _proxy(url)

    def send(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> Exchange:
        """Begin a request; `url` is absolute and on this client's server."""
        return Exchange(self, method, url, None if body is None else json.dumps(body).encode())

    def fetch(
        self, method: str, url: str, body: Mapping[str, Any] | None = None, *, seconds: float = 30.0
    ) -> tuple[Head, bytes]:
        """A small request at once, within `seconds`. Raises `Unreachable`."""
        stop = threading.Event()
        timer = threading.Timer(seconds, stop.set)
        timer.daemon = True
        timer.start()
        exchange = self.send(method, url, body)
        try:
            return exchange.head(stop), exchange.body(stop)
        except Cancelled:
            raise Unreachable(
                f"{self._host} did not answer within {seconds:g} seconds.", "Is it still loading?"
            ) from None
        finally:
            timer.cancel()
            exchange.close()

    def mask(self, text: str) -> str:
        """A text from the server without the key, should it repeat it."""
        return self._key.mask(text) if self._key else text

    def masked(self, error: KaggleMagicsError) -> KaggleMagicsError:
        """The same error without the key."""
        error.message = self.mask(error.message)
        error.hint = self.mask(error.hint) if error.hint else None
        error.args = (error.message,)
        return error

    @property
    def has_key(self) -> bool:
        return self._key is not None

    def open(self, url: SplitResult) -> http.client.HTTPConnection:
        """A connection, made within the limit."""
        host, port, kind = url.hostname or "", url.port, url.scheme
        at, at_port = host, port or (443 if kind == "https" else 80)
        if self._proxy:
            at, at_port = self._proxy.hostname or "", self._proxy.port or 8080
        connection: http.client.HTTPConnection
        if kind == "https":
            connection = http.client.HTTPSConnection(
                at, at_port, timeout=self.limits.connect, context=ssl.create_default_context()
            )
            if self._proxy:
                connection.set_tunnel(host, port or 443, headers=_proxy_authorisation(self._proxy))
        else:
            connection = http.client.HTTPConnection(at, at_port, timeout=self.limits.connect)
        connection.connect()
        connection.sock.settimeout(self.limits.idle)
        return connection

    def target(self, url: SplitResult) -> str:
        """What the request line asks for: a path, or behind a plain proxy the whole address."""
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        return f"http://{url.netloc}{path}" if self._proxy and url.scheme == "http" else path

    def headers(self, url: SplitResult) -> dict[str, str]:
        """The request's headers; the only place where the key is used."""
        headers = {
            "Accept": "text/event-stream, application/json",
            "Content-Type": "application/json",
            "User-Agent": f"kaggle-magics/{__version__}",
            "Connection": "close",
        }
        if self._key:
            headers["Authorization"] = f"Bearer {self._key.reveal()}"
        if self._proxy and url.scheme == "http":
            headers |= _proxy_authorisation(self._proxy)
        return headers

    def explain(self, error: Exception) -> Exception:
        """What went wrong with the connection, in words."""
        host = self._proxy.hostname if self._proxy else self._host
        where = self.url
        if isinstance(error, Unreachable | EngineError):
            return error
        if isinstance(error, ConnectionRefusedError):
            hint = "Is the server running, and on that port?"
            return Unreachable(f"Nothing answers at {where}: the connection was refused.", hint)
        if isinstance(error, socket.gaierror):
            return Unreachable(f"There is no host {host}, or no internet.", "Check the address for a typing error.")
        if isinstance(error, ssl.SSLCertVerificationError):
            return Unreachable(
                f"{host} shows a certificate that cannot be verified: {error.verify_message}.",
                "Nothing was sent. Use the name the certificate is for, or http:// where that is safe.",
            )
        if isinstance(error, ssl.SSLError):
            return Unreachable(f"{host} does not speak https at {where}.", "Try http:// where that is safe.")
        if isinstance(error, TimeoutError):
            return Unreachable(
                f"{host} was silent for too long (limits: {self.limits.connect:g} s to connect, "
                f"{self.limits.idle:g} s for a byte).",
                "It may be loading or overloaded; try again, or a shorter prompt.",
            )
        if isinstance(error, ConnectionError | http.client.IncompleteRead):
            return Unreachable("The server closed the connection.", "Look into its log.", again=True)
        if isinstance(error, http.client.HTTPException):
            return Unreachable(f"What answers at {where} does not speak HTTP.", "Check the port.")
        if isinstance(error, OSError):
            return Unreachable(f"{host} cannot be reached: {self.mask(str(error.strerror or error))}.")
        return error


class Retry:
    """When to try again: exponential back-off with jitter, or what the server asked for."""

    def __init__(self, limits: Limits, chance: Callable[[], float]) -> None:
        self._limits, self._chance, self._left = limits, chance, limits.retries
        self._wait = limits.backoff

    def wait(self, stop: threading.Event, asked: float | None = None) -> bool:
        """Wait before another attempt; False where there is none left or the server asks for too long a wait."""
        if self._left <= 0 or (asked is not None and asked > self._limits.longest_wait):
            return False
        self._left -= 1
        seconds = self._wait * (1.0 - 0.5 * self._chance()) if asked is None else asked
        self._wait *= 2
        if stop.wait(seconds):
            raise Cancelled
        return True


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After header, given as a number or a date (RFC 9110, 10.2.3)."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
        return max(0.0, seconds) if math.isfinite(seconds) else None
    except ValueError:
        pass
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _same_server(url: SplitResult, place: str) -> SplitResult:
    """Where a redirect leads; only within the server, so that neither key nor conversation goes to another one."""
    to = urlsplit(urljoin(url.geturl(), place))
    if (to.hostname, to.port, to.scheme) == (url.hostname, url.port, url.scheme):
        return to
    raise Unreachable(
        f"{url.hostname} redirects to another server, {to.scheme}://{to.netloc.rpartition('@')[2]}.",
        "If you trust it, name that address; nothing was sent there.",
    )


def _proxy(url: str) -> SplitResult | None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host) or urllib.request.proxy_bypass(host):
        return None
    address = urllib.request.getproxies().get(parts.scheme)
    return urlsplit(address if "://" in address else f"http://{address}") if address else None


def _proxy_authorisation(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    import base64

    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
