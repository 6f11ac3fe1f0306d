"""What a request can be refused for: each reason is an exception that becomes an answer of one form."""

import math
import re
from collections.abc import Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails

__all__ = [
    "Disconnected",
    "Overloaded",
    "Problem",
    "Refusal",
    "TooLarge",
    "TooManyConnections",
    "TooSlow",
    "Unauthorized",
    "Unprocessable",
    "WrongHost",
]


def __dir__() -> list[str]:
    return __all__


_TYPE = re.compile(
    r"str|bool|(literal|dict)\[.*\]"
)  # what pydantic adds to the place where types are alternatives
Problem = dict[str, str]  # {"where": "inputs.0", "problem": "..."}


class Disconnected(Exception):
    """The client has gone."""


class Refusal(Exception):
    """An answer other than the one that was asked for.

    Parameters
    ----------
    status : int
        The HTTP status.
    code : str
        A word for programs.
    message : str
        A sentence for people: what was found, what is accepted and what to do.
    details : sequence of {"where", "problem"}
        What is wrong in which part of the request.
    headers : dict of str to str
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        details: Sequence[Problem] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.details, self.headers = list(details), headers or {}


class Unauthorized(Refusal):
    """The token is missing or wrong."""

    def __init__(self) -> None:
        super().__init__(
            401,
            "unauthorized",
            "This server wants a token. Send one of its file in the header 'Authorization: Bearer TOKEN'.",
            headers={"WWW-Authenticate": "Bearer"},
        )


class WrongHost(Refusal):
    """The server was asked under a name that is not its own."""

    def __init__(self, name: str) -> None:
        super().__init__(
            403,
            "wrong_host",
            f"This server is not known as {name[:100]!r}. Ask localhost, or start it with --allow-host NAME.",
        )


class TooLarge(Refusal):
    """The body is longer than the server takes."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            413,
            "too_large",
            f"The body is too large; accepted are up to {limit:,} bytes. Send fewer or shorter inputs.",
        )


class TooManyConnections(Refusal):
    """As many clients as the server takes are connected already."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            503,
            "too_many_connections",
            f"The server has {limit:,} connections, and takes no more. Try again in 1 s.",
            headers={"Retry-After": "1"},
        )


class TooSlow(Refusal):
    """The request has taken too long to arrive, or its answer to be made."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            408, "too_slow", f"The request was not complete within {seconds:g} seconds. Send it again.",
            headers={"Connection": "close"},
        )  # fmt: skip


class Unprocessable(Refusal):
    """The input is not acceptable."""

    def __init__(self, details: Sequence[Problem]) -> None:
        first = details[0]
        more = "" if len(details) == 1 else f" (and {len(details) - 1} more)"
        super().__init__(422, "invalid_input", f"{first['where']}: {first['problem']}{more}", details)

    @classmethod
    def of(cls, where: str, problem: str) -> "Unprocessable":
        """Return the refusal of one part of a request."""
        return cls([{"where": where, "problem": problem}])

    @classmethod
    def from_validation(cls, error: ValidationError) -> "Unprocessable":
        """Return what pydantic found wrong, in our form; values are not repeated, as they may be large."""
        return cls(_problems(error.errors(include_url=False, include_input=False)))


def _problems(errors: Sequence[ErrorDetails]) -> list[Problem]:
    """Return the findings of pydantic in our form, one for each part of the request."""
    found: dict[str, str] = {}
    for error in errors:
        parts = [str(part) for part in error["loc"]]
        if len(parts) > 2 and parts[0] == "inputs" and parts[2] in ("string", "text", "features", "names"):
            del parts[2]  # which of the forms of an input it was taken for
        where = ".".join(part for part in parts if not _TYPE.fullmatch(part)) or "body"
        message = error["msg"].rstrip(".")
        if error["type"] == "extra_forbidden":
            message = "This field is unknown; leave it out"
        found[where] = f"{found[where]}; or: {message}" if where in found else message
    return [{"where": where, "problem": f"{message}."} for where, message in list(found.items())[:20]]


class Overloaded(Refusal):
    """So much waits already that the request would wait too long."""

    def __init__(self, seconds: float) -> None:
        wait = max(1, math.ceil(seconds))
        super().__init__(
            503,
            "overloaded",
            f"The server has too much to do now. Try again in {wait} s.",
            headers={"Retry-After": str(wait)},
        )
