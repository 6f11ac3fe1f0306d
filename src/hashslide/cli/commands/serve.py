"""``hashslide serve``: answers over HTTP, and a page to search with."""

from pathlib import Path
from typing import Annotated

import typer

from hashslide.cli._options import Jobs, ModelArgument

__all__ = ["serve"]


def __dir__() -> list[str]:
    return __all__


LIMITS = "Limits"
LOG = "Log"


def serve(
    model: ModelArgument,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address to listen on; 0.0.0.0: reachable from outside.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="0: any that is free.")] = 8080,
    workers: Annotated[
        int, typer.Option(metavar="N", min=1, help="Processes that answer from one model in memory.")
    ] = 1,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Answer only who sends a token of FILE, which has one on each line."
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A name besides localhost that leads here, as from a proxy."),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Load MODEL again when it is replaced; SIGHUP does it, too.")
    ] = False,
    connections: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, help="Open connections of a worker; beyond: 503.", rich_help_panel=LIMITS
        ),
    ] = 512,
    max_batch: Annotated[
        int, typer.Option(metavar="N", min=1, help="Inputs scored together.", rich_help_panel=LIMITS)
    ] = 128,
    queue: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, help="Inputs that wait in a worker; beyond: 503.", rich_help_panel=LIMITS
        ),
    ] = 1024,
    max_inputs: Annotated[
        int, typer.Option(metavar="N", min=1, help="Inputs of a request.", rich_help_panel=LIMITS)
    ] = 128,
    max_k: Annotated[
        int, typer.Option(metavar="N", min=1, help="Labels for an input.", rich_help_panel=LIMITS)
    ] = 100,
    max_words: Annotated[
        int, typer.Option(metavar="N", min=1, help="Words or features of an input.", rich_help_panel=LIMITS)
    ] = 10_000,
    max_body: Annotated[
        int, typer.Option(metavar="BYTES", min=64, help="Length of a request.", rich_help_panel=LIMITS)
    ] = 2**20,
    timeout: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0.01, help="Time for a request.", rich_help_panel=LIMITS),
    ] = 30.0,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No line for each request.", rich_help_panel=LOG)
    ] = False,
    log_queries: Annotated[
        bool, typer.Option("--log-queries", help="Lines also tell what was asked.", rich_help_panel=LOG)
    ] = False,
    jobs: Jobs = None,
) -> None:
    """Answer over HTTP from a model, with a page to search with.

    The address of the page is printed when the server answers. The log goes to
    standard error as lines of JSON. Ctrl-C or SIGTERM end the server when what
    has been asked is answered. /docs documents the interface.

    It needs an extra: pip install 'hashslide\\[serve]'

    [bold]Examples[/bold]

    \b
        hashslide serve mesh.hashslide
        hashslide serve mesh.hashslide --workers 2 --watch --token-file tokens.txt
        curl "http://127.0.0.1:8080/v1/search?q=insulin+rats&k=3"
    """
    from hashslide.cli._console import visible
    from hashslide.serve import ServerSettings, read_tokens, run  # not before: --help need not wait for it

    settings = ServerSettings(
        host=host,
        port=port,
        workers=workers,
        tokens=() if token_file is None else read_tokens(token_file),
        hosts=tuple(allow_host or ()),
        connections=connections,
        max_batch=max_batch,
        queue=queue,
        max_inputs=max_inputs,
        max_k=max_k,
        max_words=max_words,
        max_body=max_body,
        timeout=timeout,
        watch=watch,
        log_requests=not quiet,
        log_queries=log_queries,
        jobs=jobs,
    )
    name = visible(str(model))
    run(model, settings, announce=lambda address: typer.echo(f"Serving {name} at {address} (Ctrl-C ends)"))
