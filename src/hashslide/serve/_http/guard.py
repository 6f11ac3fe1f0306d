"""The way in and out of every request: token, size, time, one line in the log, no traceback to anybody."""

import asyncio
import itertools
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hashslide.serve._http.answers import refusal_answer
from hashslide.serve._refusals import Overloaded, Refusal, TooLarge, TooSlow
from hashslide.serve._service import Service

__all__ = ["Endpoint", "Guard", "note", "refuse"]


def __dir__() -> list[str]:
    return __all__


Endpoint = Callable[[Request], Awaitable[Response]]
_ID = re.compile(rb"[A-Za-z0-9_.:-]{1,64}")
_PROTECTED = ("/v1/", "/v2/models", "/metrics")  # these want a token, where there are any
_SCORING = ("/v1/predict", "/v1/search")
_EXCHANGE = "hashslide.exchange"
_DRAINED = (
    16  # bodies up to so many times the limit are read to their end, so that the client hears the answer
)
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


class _Disconnected(Exception):
    """The client has gone."""


class Guard:
    """ASGI middleware around all routes.

    Parameters
    ----------
    app : ASGI application
    service : Service
    direct : dict
        What answers a method and an address without the way through the framework's router and its layers,
        which take half of the time of a small request.
    """

    def __init__(self, app: ASGIApp, service: Service, direct: Mapping[tuple[str, str], Endpoint]) -> None:
        self._app, self._service, self._direct = app, service, direct
        self._ids = itertools.count()
        self._prefix = secrets.token_hex(4)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(self._service, scope, receive, send)
        exchange.id = exchange.id or f"{self._prefix}-{next(self._ids):x}"
        scope[_EXCHANGE] = exchange
        seconds = self._service.settings.timeout
        try:
            async with asyncio.timeout(seconds):
                try:
                    direct = self._direct.get((scope["method"], scope["path"]))
                    if direct is not None:
                        exchange.route = scope["path"]
                    await exchange.check()
                    if direct is not None:
                        response = await direct(Request(scope, exchange.receive))
                        await response(scope, exchange.receive, exchange.send)
                    else:
                        await self._app(scope, exchange.receive, exchange.send)
                except Refusal as refusal:
                    await exchange.refuse(refusal)
        except TimeoutError:
            await exchange.refuse(Overloaded(1) if exchange.is_received else TooSlow(seconds))
        except _Disconnected:
            exchange.status = 499
        except Exception as error:
            self._service.log.failure("request failed", error, id=exchange.id)
            await exchange.refuse(
                Refusal(500, "internal", "The server failed at this request; its log says why.")
            )
        finally:
            exchange.end()


class _Exchange:
    """A request and its answer.

    Attributes
    ----------
    id : str
        Of the request: the client's own, or one of ours.
    status : int
        Of the answer; 0 before there is one.
    is_received : bool
        Whether the whole request has been read.
    route : str
        The address that the metrics count it under; empty before the router has found it.
    facts : dict
        What the log tells of it.
    """

    def __init__(self, service: Service, scope: Scope, receive: Receive, send: Send) -> None:
        self._service, self._scope, self._receive, self._send = service, scope, receive, send
        self._begin = time.perf_counter()
        self._headers = dict(scope["headers"])
        self._n_in = self._n_out = 0
        given = self._headers.get(b"x-request-id", b"")
        self.id = given.decode("ascii") if _ID.fullmatch(given) else ""
        self.status = 0
        self.is_received = False
        self.route = ""
        self.facts: dict[str, Any] = {}

    async def check(self) -> None:
        """Refuse what need not be looked at any further."""
        path: str = self._scope["path"]
        self._service.check_host(self._headers.get(b"host", b""))
        if path.startswith(_PROTECTED):
            self._service.check_token(self._headers.get(b"authorization", b""))
        if path in _SCORING:
            self._service.scorer.check_room()
        length = self._headers.get(b"content-length", b"0")
        limit = self._service.settings.max_body
        if length.isdigit() and int(length) > limit:
            refusal = TooLarge(limit)
            if self._headers.get(b"expect", b"").lower() == b"100-continue" or int(length) > _DRAINED * limit:
                refusal.headers["Connection"] = "close"
            else:
                await self._drain()
            raise refusal

    async def receive(self) -> Message:
        """Return a part of the request."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise _Disconnected
        self._n_in += len(message.get("body", b""))
        self.is_received = not message.get("more_body", False)
        limit = self._service.settings.max_body
        if self._n_in > limit:
            refusal = TooLarge(limit)
            if not self.is_received and not await self._drain():
                refusal.headers["Connection"] = "close"
            raise refusal
        return message

    async def _drain(self) -> bool:
        """Read the rest of a body that is too large and forget it; False if it does not end."""
        while not self.is_received and self._n_in <= _DRAINED * self._service.settings.max_body:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise _Disconnected
            self._n_in += len(message.get("body", b""))
            self.is_received = not message.get("more_body", False)
        return self.is_received

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message["headers"], (b"x-request-id", self.id.encode("ascii")), *_HEADERS]
            if not any(name == b"cache-control" for name, _ in headers):
                headers.append((b"cache-control", b"no-store"))
            if self._service.is_closing:
                headers.append((b"connection", b"close"))
            message["headers"] = headers
        else:
            self._n_out += len(message.get("body", b""))
        await self._send(message)

    async def refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal, unless an answer has begun."""
        if self.status:
            return
        self.facts["refused"] = refusal.code
        await refusal_answer(refusal, self.id)(self._scope, self._receive, self.send)

    def end(self) -> None:
        """Count and log the request."""
        seconds = time.perf_counter() - self._begin
        route = self.route or getattr(self._scope.get("route"), "path", "other")
        service = self._service
        service.metrics.request(route, self.status, seconds)
        if service.settings.log_requests:
            service.log.note(
                "request",
                id=self.id,
                client=(self._scope.get("client") or ("",))[0],
                method=self._scope["method"],
                path=self._scope["path"][:200],
                status=self.status,
                ms=round(seconds * 1000, 2),
                bytes_in=self._n_in,
                bytes_out=self._n_out,
                **self.facts,
            )


def note(request: Request, **facts: Any) -> None:
    """Let the log tell more about a request."""
    exchange: _Exchange = request.scope[_EXCHANGE]
    exchange.facts.update(facts)


def refuse(request: Request, refusal: Refusal) -> Response:
    """Return a refusal as the answer to a request, and let the log tell of it."""
    exchange: _Exchange = request.scope[_EXCHANGE]
    exchange.facts["refused"] = refusal.code
    return refusal_answer(refusal, exchange.id)
