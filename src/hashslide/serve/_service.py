"""What the parts of a server share."""

import hmac
from dataclasses import dataclass, field
from typing import Any

from hashslide.serve._logs import Log
from hashslide.serve._metrics import Metrics
from hashslide.serve._models import ServedModel, describe
from hashslide.serve._refusals import Unauthorized, WrongHost
from hashslide.serve._scoring import Scorer
from hashslide.serve.settings import ServerSettings

__all__ = ["Service"]


def __dir__() -> list[str]:
    return __all__


@dataclass
class Service:
    """A model with its scorer, and what is counted and written about its requests.

    Attributes
    ----------
    is_closing : bool
        The server takes no new connections; answers ask the clients to go.
    """

    model: ServedModel
    settings: ServerSettings
    log: Log
    metrics: Metrics
    description: dict[str, Any] = field(init=False)
    scorer: Scorer = field(init=False)
    is_closing: bool = False

    def __post_init__(self) -> None:
        limits = dict(self.settings.limits())
        self.description = describe(self.model) | {
            "limits": limits,
            "needs_token": bool(self.settings.tokens),
        }
        self.scorer = Scorer(
            self.model,
            self.settings.max_batch,
            self.settings.queue,
            self.metrics.batch,
            lambda error: self.log.failure("scoring failed", error),
        )
        self._hosts = self.settings.known_hosts()
        self._tokens = [f"Bearer {token}".encode("ascii") for token in self.settings.tokens]

    def check_token(self, authorization: bytes) -> None:
        """Refuse who has no token; the time that it takes does not tell how much of one is right.

        Raises
        ------
        Unauthorized
        """
        if self._tokens and not any([hmac.compare_digest(authorization, token) for token in self._tokens]):
            raise Unauthorized

    def check_host(self, host: bytes) -> None:
        """Refuse a request that was sent to a name that is not ours.

        Raises
        ------
        WrongHost
        """
        if self._hosts is None:
            return
        name = host.decode("latin-1").lower()
        name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
        if name not in self._hosts:
            raise WrongHost(name)
