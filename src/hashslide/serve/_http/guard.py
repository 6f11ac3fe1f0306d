"""The way in and out of every request: token, size, time, one line in the log, no traceback to anybody."""

import asyncio
import itertools
import secrets
from collections.abc import Awaitable, Callable, Mapping

from fastapi import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hashslide.serve._http.answers import refusal_answer
from hashslide.serve._http.exchange import Exchange
from hashslide.serve._refusals import Disconnected, Overloaded, Refusal, TooSlow
from hashslide.serve._service import Service

__all__ = ["Endpoint", "Guard", "exchange_of", "refuse"]


def __dir__() -> list[str]:
    return __all__


Endpoint = Callable[[Exchange], Awaitable[bytes]]  # returns JSON
_EXCHANGE = "hashslide.exchange"


class Guard:
    """ASGI application, or middleware, around that of all routes.

    Parameters
    ----------
    app : ASGI application
    service : Service
    direct : dict
        What answers a method and an address without the way through the framework's router and its layers,
        which take half of the time of a small request. Where the application is mounted at an address below
        the root, all requests take that way.
    """

    def __init__(self, app: ASGIApp, service: Service, direct: Mapping[tuple[str, str], Endpoint]) -> None:
        self.service = service
        self._app, self._direct = app, direct
        self._ids = itertools.count()
        self._prefix = secrets.token_hex(4)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        service = self.service
        exchange = Exchange(service, scope, receive, send, f"{self._prefix}-{next(self._ids):x}")
        scope[_EXCHANGE] = exchange
        seconds = service.settings.timeout
        try:
            async with asyncio.timeout(seconds):
                try:
                    direct = self._direct.get((scope["method"], scope["path"]))
                    if direct is not None:
                        exchange.route = scope["path"]
                    await exchange.check()
                    if direct is not None:
                        await exchange.answer(await direct(exchange))
                    else:
                        await self._app(scope, exchange.receive, exchange.send)
                except Refusal as refusal:
                    await exchange.refuse(refusal)
        except TimeoutError:
            await exchange.refuse(Overloaded(1) if exchange.is_received else TooSlow(seconds))
        except Disconnected:
            exchange.status = 499
        except Exception as error:
            service.log.failure("request failed", error, id=exchange.id)
            await exchange.refuse(
                Refusal(500, "internal", "The server failed at this request; its log says why.")
            )
        finally:
            exchange.end()


def exchange_of(request: Request) -> Exchange:
    """Return the exchange that a request of the framework belongs to."""
    exchange: Exchange = request.scope[_EXCHANGE]
    return exchange


def refuse(request: Request, refusal: Refusal) -> Response:
    """Return a refusal as the answer to a request, and let the log tell of it."""
    exchange = exchange_of(request)
    exchange.facts["refused"] = refusal.code
    return refusal_answer(refusal, exchange.id)
