"""A connection: HTTP/1.1 with limits for the head of a request, and refusals in the form of all others."""

import asyncio
import json
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hashslide.serve._http.answers import refusal_body
from hashslide.serve._refusals import Refusal, TooManyConnections, TooSlow
from hashslide.serve._service import Service

__all__ = ["Connection"]


def __dir__() -> list[str]:
    return __all__


_MOST_HEAD = 65536  # bytes of the request line and the headers


class Connection(HttpToolsProtocol):
    """What uvicorn's connection lacks: too many of them, and heads that never end, are refused."""

    _timer: asyncio.TimerHandle | None = None
    _n_head = 0
    _is_in_head = True
    _is_only_head = True  # whether all that has just been read belongs to one head

    @property
    def _service(self) -> Service:
        service: Service = self.config.app.service  # type: ignore[union-attr]
        return service

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a request."""
        super().connection_made(transport)
        limit = self._service.settings.connections
        if len(self.connections) > limit:
            self._refuse(TooManyConnections(limit))
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._forget_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read a part of a request."""
        if self.transport.is_closing():
            return
        if self._is_in_head:
            self._await_head()
        self._is_only_head = self._is_in_head
        super().data_received(data)
        if self._is_only_head and not self.transport.is_closing():
            self._n_head += len(data)
            if self._n_head > _MOST_HEAD:
                self._refuse(
                    Refusal(
                        431, "head_too_large", f"The head is too large; accepted are {_MOST_HEAD:,} bytes."
                    )
                )

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._is_in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """End the head of a request."""
        self._is_in_head = self._is_only_head = False
        self._n_head = 0
        self._forget_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End a request: the next begins with a head."""
        super().on_message_complete()
        self._is_in_head = True

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._refuse(Refusal(400, "not_http", "This is no HTTP request that the server understands."))

    def _await_head(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self._service.settings.timeout, self._give_up)

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if self.cycle is None or self.cycle.response_complete:
            self._refuse(TooSlow(self._service.settings.timeout))

    def _refuse(self, refusal: Refusal) -> None:
        """Answer and close; what has been begun before is answered still."""
        self._forget_timer()
        if self.transport.is_closing():
            return
        client = (self.client or ("",))[0]
        self._service.log.write("request", client=client, status=refusal.status, refused=refusal.code)
        self._service.metrics.request("none", refusal.status, 0.0)
        body = json.dumps(refusal_body(refusal, "")).encode()
        head = [
            f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}",
            "content-type: application/json",
            f"content-length: {len(body)}",
            "connection: close",
            *(f"{name}: {value}" for name, value in refusal.headers.items() if name != "Connection"),
        ]
        self.transport.write("\r\n".join([*head, "", ""]).encode("ascii") + body)
        self.transport.close()
