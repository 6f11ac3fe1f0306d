"""A request and its answer, on their way through the guard."""

import re
import time
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from hashslide.serve._http.answers import refusal_body, to_json
from hashslide.serve._refusals import Disconnected, Refusal, TooLarge
from hashslide.serve._service import Service

__all__ = ["Exchange"]


def __dir__() -> list[str]:
    return __all__


_ID = re.compile(rb"[A-Za-z0-9_.:-]{1,64}")
_PROTECTED = ("/v1/", "/v2/models", "/metrics")  # these want a token, where there are any
_SCORING = ("/v1/predict", "/v1/search")
_DRAINED = (
    16  # bodies up to so many times the limit are read to their end, so that the client hears the answer
)
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_NOT_KEPT = (b"cache-control", b"no-store")
_JSON = (b"content-type", b"application/json")


class Exchange:
    """A request and its answer.

    Parameters
    ----------
    service : Service
    scope, receive, send
        Of ASGI.
    own_id : str
        The name of the request, unless the client has given it one.

    Attributes
    ----------
    service : Service
    id : str
        Of the request.
    scope : dict
    status : int
        Of the answer; 0 before there is one.
    is_received : bool
        Whether the whole request has been read.
    route : str
        The address that the metrics count it under; empty before the router has found it.
    facts : dict
        What the log tells of it.
    """

    __slots__ = (
        "_begin",
        "_headers",
        "_n_in",
        "_n_out",
        "_receive",
        "_send",
        "facts",
        "id",
        "is_received",
        "route",
        "scope",
        "service",
        "status",
    )

    def __init__(self, service: Service, scope: Scope, receive: Receive, send: Send, own_id: str) -> None:
        self.service, self.scope, self._receive, self._send = service, scope, receive, send
        self._begin = time.perf_counter()
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        self._n_in = self._n_out = 0
        given = self._headers.get(b"x-request-id")
        self.id = given.decode("ascii") if given is not None and _ID.fullmatch(given) else own_id
        self.status = 0
        self.is_received = False
        self.route = ""
        self.facts: dict[str, Any] = {}

    async def check(self) -> None:
        """Refuse what need not be looked at any further."""
        service, headers = self.service, self._headers
        path = self.scope["path"].removeprefix(self.scope.get("root_path", ""))  # as the routes name it
        service.check_host(headers.get(b"host", b""))
        if path.startswith(_PROTECTED):
            service.check_token(headers.get(b"authorization", b""))
        if path in _SCORING:
            service.scorer.check_room()
        length = headers.get(b"content-length", b"0")
        limit = service.settings.max_body
        if length.isdigit() and int(length) > limit:
            refusal = TooLarge(limit)
            if headers.get(b"expect", b"").lower() == b"100-continue" or int(length) > _DRAINED * limit:
                refusal.headers["Connection"] = "close"
            else:
                await self._drain()
            raise refusal

    async def receive(self) -> Message:
        """Return a part of the request."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        self._n_in += len(message.get("body", b""))
        self.is_received = not message.get("more_body", False)
        limit = self.service.settings.max_body
        if self._n_in > limit:
            refusal = TooLarge(limit)
            if not self.is_received and not await self._drain():
                refusal.headers["Connection"] = "close"
            raise refusal
        return message

    async def json_text(self) -> bytes:
        """Return the body, which is said to be JSON.

        Raises
        ------
        Refusal
            It is said to be something else, or is too large.
        """
        kind = self._headers.get(b"content-type", b"application/json")
        if kind != b"application/json":
            name = kind.partition(b";")[0].strip().lower()
            if name != b"application/json" and not name.endswith(b"+json"):
                raise Refusal(
                    415,
                    "not_json",
                    f"The Content-Type is {name.decode('latin-1')[:80]!r}; accepted is application/json. "
                    "Send the input as JSON.",
                )
        body: bytes = (await self.receive()).get("body", b"")
        if self.is_received:
            return body
        parts = [body]
        while not self.is_received:
            parts.append((await self.receive()).get("body", b""))
        return b"".join(parts)

    async def _drain(self) -> bool:
        """Read the rest of a body that is too large and forget it; False if it does not end."""
        while not self.is_received and self._n_in <= _DRAINED * self.service.settings.max_body:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            self._n_in += len(message.get("body", b""))
            self.is_received = not message.get("more_body", False)
        return self.is_received

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message["headers"], (b"x-request-id", self.id.encode("ascii")), *_HEADERS]
            if not any(name == b"cache-control" for name, _ in headers):
                headers.append(_NOT_KEPT)
            if self.service.is_closing:
                headers.append((b"connection", b"close"))
            message["headers"] = headers
        else:
            self._n_out += len(message.get("body", b""))
        await self._send(message)

    async def answer(
        self, body: bytes, status: int = 200, headers: list[tuple[bytes, bytes]] | None = None
    ) -> None:
        """Send an answer in JSON."""
        length = (b"content-length", b"%d" % len(body))
        start = {
            "type": "http.response.start",
            "status": status,
            "headers": [_JSON, length, *(headers or ())],
        }
        await self.send(start)
        await self.send({"type": "http.response.body", "body": body})

    async def refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal, unless an answer has begun."""
        if self.status:
            return
        self.facts["refused"] = refusal.code
        headers = [(n.lower().encode("ascii"), v.encode("ascii")) for n, v in refusal.headers.items()]
        await self.answer(to_json(refusal_body(refusal, self.id)), refusal.status, headers)

    def end(self) -> None:
        """Count and log the request."""
        seconds = time.perf_counter() - self._begin
        scope, service = self.scope, self.service
        route = self.route or getattr(scope.get("route"), "path", "other")
        service.metrics.request(route, self.status, seconds)
        if service.settings.log_requests:
            service.log.note(
                "request",
                id=self.id,
                client=(scope.get("client") or ("",))[0],
                method=scope["method"],
                path=scope["path"][:200],
                status=self.status,
                ms=round(seconds * 1000, 2),
                bytes_in=self._n_in,
                bytes_out=self._n_out,
                **self.facts,
            )
