"""``/v2``: the protocol of KServe and Triton, so that their clients and gateways work as they are."""

from itertools import pairwise
from typing import Any, Literal

import numpy as np
from fastapi import APIRouter, FastAPI, Request
from pydantic import Field, create_model
from starlette.responses import Response

import hashslide
from hashslide.errors import InputError
from hashslide.serve import _schemas as schemas
from hashslide.serve._http import exchange_of, json_answer
from hashslide.serve._models import Features, Options, Query, Text
from hashslide.serve._models.queries import check_values
from hashslide.serve._refusals import Refusal, Unprocessable
from hashslide.serve._routes.predict import REFUSALS, ask, body_of, read_json
from hashslide.serve._service import Service

__all__ = ["add"]


def __dir__() -> list[str]:
    return __all__


_EXAMPLE = {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["words of a text"]}]}


class Tensor(schemas.Strict):
    """An input: "text" of shape (n,), or a CSR matrix as "indptr" (n + 1,), "indices" and "values"."""

    name: Literal["text", "indptr", "indices", "values"]
    shape: list[int] = Field(min_length=1, max_length=2)
    datatype: Literal["BYTES", "INT64", "INT32", "FP32", "FP64"]
    data: list[str] | list[int] | list[float] | list[list[str]]
    parameters: dict[str, Any] = Field(default_factory=dict)


class Wanted(schemas.Strict):
    """An output that is wanted; by default both are given."""

    name: Literal["labels", "scores"]
    parameters: dict[str, Any] = Field(default_factory=dict)


class Parameters(schemas.Strict):
    """What is wanted of a prediction, as in ``/v1/predict``."""

    k: int = Field(default=5, ge=1)
    probabilities: bool = True
    approximate: schemas.Approximate = "auto"


class InferRequest(schemas.Strict):
    """Tensors."""

    inputs: list[Tensor] = Field(min_length=1, max_length=3)
    outputs: list[Wanted] = Field(default_factory=list)
    id: str = Field("", max_length=256)
    parameters: Parameters = Field(default_factory=lambda: Parameters(k=5))


def add(app: FastAPI, service: Service) -> None:
    """Add the routes to an app."""
    settings, name = service.settings, service.model.name
    parameters = create_model(
        "Parameters", __base__=Parameters, k=(int, Field(min(5, settings.max_k), ge=1, le=settings.max_k))
    )
    form = create_model(
        "InferRequest", __base__=InferRequest, parameters=(parameters, Field(default_factory=parameters))
    )
    router = APIRouter(prefix="/v2", tags=["KServe protocol"])
    not_found: dict[int | str, dict[str, Any]] = {
        404: {"model": schemas.ErrorBody, "description": "There is no model of this name."}
    }

    def check(given: str) -> None:
        if given != name:
            raise Refusal(404, "not_found", f"There is no model {given[:100]!r} here; there is {name!r}.")

    @router.get("", summary="The server")
    async def server() -> Response:
        return json_answer({"name": "hashslide", "version": hashslide.__version__, "extensions": []})

    @router.get("/health/live", summary="Whether the server runs")
    async def live() -> Response:
        return json_answer({"live": True})

    @router.get("/health/ready", summary="Whether the server takes requests", responses=REFUSALS)
    async def ready() -> Response:
        return json_answer({"ready": True}) if not service.is_closing else json_answer({"ready": False}, 503)

    @router.get("/models/{model}", summary="Inputs and outputs of the model", responses=REFUSALS | not_found)
    async def metadata(model: str) -> Response:
        check(model)
        return json_answer(_metadata(service))

    @router.get(
        "/models/{model}/ready", summary="Whether the model is loaded", responses=REFUSALS | not_found
    )
    async def model_ready(model: str) -> Response:
        check(model)
        return json_answer({"name": name, "ready": True})

    @router.post(
        "/models/{model}/infer",
        summary="The best labels of each row",
        responses=REFUSALS | not_found,
        openapi_extra=body_of(form, _EXAMPLE),
    )
    async def infer(model: str, request: Request) -> Response:
        check(model)
        exchange = exchange_of(request)
        wanted = await read_json(exchange, form)
        queries = _queries(wanted.inputs)
        if len(queries) > settings.max_inputs:
            raise Unprocessable.of(
                "inputs", f"there are {len(queries):,} rows; accepted are up to {settings.max_inputs:,}."
            )
        given = wanted.parameters
        answer = await ask(exchange, queries, Options(given.k, given.probabilities, given.approximate))
        rows = [prediction.labels for prediction in answer.predictions]
        outputs = _outputs(rows, [one.name for one in wanted.outputs] or ["labels", "scores"])
        found = {"model_name": name, "model_version": service.model.version, "outputs": outputs}
        return json_answer(found | ({"id": wanted.id} if wanted.id else {}))

    app.include_router(router)


def _metadata(service: Service) -> dict[str, Any]:
    kind = _datatype(service.model.classifier.classes_.dtype)
    return {
        "name": service.model.name,
        "versions": [service.model.version],
        "platform": "hashslide",
        "inputs": [
            {"name": "text", "datatype": "BYTES", "shape": [-1]},
            {"name": "indptr", "datatype": "INT64", "shape": [-1]},
            {"name": "indices", "datatype": "INT32", "shape": [-1]},
            {"name": "values", "datatype": "FP32", "shape": [-1]},
        ],
        "outputs": [
            {"name": "labels", "datatype": kind, "shape": [-1, -1]},
            {"name": "scores", "datatype": "FP32", "shape": [-1, -1]},
        ],
    }


def _datatype(dtype: np.dtype[Any]) -> str:
    return {"i": "INT64", "u": "UINT64", "f": "FP64", "b": "BOOL"}.get(dtype.kind, "BYTES")


def _outputs(rows: list[list[dict[str, Any]]], names: list[str]) -> list[dict[str, Any]]:
    labels = [one["label"] for row in rows for one in row]
    scores = [one["score"] for row in rows for one in row]
    shape = [len(rows), len(rows[0])]
    outputs = {
        "labels": {"datatype": _datatype(np.asarray(labels).dtype), "shape": shape, "data": labels},
        "scores": {"datatype": "FP32", "shape": shape, "data": scores},
    }
    return [{"name": name} | outputs[name] for name in names]


def _queries(tensors: list[Tensor]) -> list[Query]:
    """Return the rows that tensors stand for."""
    given = {tensor.name: tensor for tensor in tensors}
    if len(given) < len(tensors):
        raise Unprocessable.of("inputs", "an input is given twice; name each once.")
    for i, tensor in enumerate(tensors):
        _check_shape(tensor, f"inputs.{i}")
    if given.keys() == {"text"}:
        return [Text(text) for text in _flat(given["text"].data)]
    if given.keys() != {"indptr", "indices", "values"}:
        raise Unprocessable.of(
            "inputs",
            f"they are {', '.join(sorted(given))}; accepted are text alone, or indptr, indices and values.",
        )
    return _rows(*(given[name].data for name in ("indptr", "indices", "values")))


def _check_shape(tensor: Tensor, where: str) -> None:
    n = 1
    for size in tensor.shape:
        n *= max(size, 0)
    data = _flat(tensor.data)
    kinds = {"text": "BYTES", "indptr": "INT", "indices": "INT", "values": "FP"}
    if not tensor.datatype.startswith(kinds[tensor.name]):
        raise Unprocessable.of(
            where, f"{tensor.name} is {tensor.datatype}; accepted is {kinds[tensor.name]}."
        )
    expected = {"text": str, "indptr": int, "indices": int, "values": float}[tensor.name]
    if not all(isinstance(one, expected) or (expected is float and isinstance(one, int)) for one in data):
        raise Unprocessable.of(where, f"the data of {tensor.name} are not all {tensor.datatype}.")
    if n != len(data) or (len(tensor.shape) == 2 and tensor.shape[1] != 1):
        raise Unprocessable.of(
            where,
            f"{tensor.name} has {len(data)} values and the shape {tensor.shape}; accepted is [{len(data)}].",
        )
    if tensor.name == "text" and not data:
        raise Unprocessable.of(where, "text is empty; accepted is at least one row.")


def _flat(data: Any) -> list[Any]:
    return [one for row in data for one in row] if data and isinstance(data[0], list) else list(data)


def _rows(indptr: list[Any], indices: list[Any], values: list[Any]) -> list[Query]:
    rising = all(low <= high for low, high in pairwise(indptr))
    if len(indptr) < 2 or not rising or indptr[0] != 0 or not indptr[-1] == len(indices) == len(values):
        raise Unprocessable.of(
            "inputs",
            "indptr does not rise from 0 to the number of indices and values; accepted is a CSR matrix "
            "of one row or more.",
        )
    if any(not 0 <= index < 2**31 for index in indices):
        raise Unprocessable.of(
            "inputs", "an index is negative or too large; accepted are numbers of features."
        )
    try:
        check_values(values)
    except InputError as error:
        raise Unprocessable.of("inputs", str(error)) from None
    rows: list[Query] = []
    for begin, end in pairwise(indptr):
        row = dict(zip(indices[begin:end], map(float, values[begin:end]), strict=True))
        if len(row) < end - begin:
            raise Unprocessable.of("inputs", f"row {len(rows)} has a feature twice; give each once.")
        rows.append(Features(row))
    return rows
