"""What requests and answers look like; the OpenAPI document is made from it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, create_model

from hashslide.serve._models import Features, Names, Options, Query, Text
from hashslide.serve.settings import ServerSettings

__all__ = [
    "COMPONENTS",
    "ErrorBody",
    "FeaturesInput",
    "Input",
    "NamesInput",
    "PredictRequest",
    "PredictResponse",
    "Prediction",
    "SearchQuery",
    "SearchResponse",
    "TextInput",
    "limited",
    "query_of",
]


def __dir__() -> list[str]:
    return __all__


COMPONENTS = "#/components/schemas/"  # where an OpenAPI document keeps the forms
_FEATURE_NUMBER = r"^(0|[1-9][0-9]{0,8})$"
Approximate = bool | Literal["auto"]


class Strict(BaseModel):
    """Takes known fields of the right type and finite numbers only."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class TextInput(Strict):
    """A text, or the columns of text of a model that was trained on several."""

    text: str | dict[str, str]


class FeaturesInput(Strict):
    """Values of features by their numbers, from 0."""

    features: dict[Annotated[str, Field(pattern=_FEATURE_NUMBER)], float]


class NamesInput(Strict):
    """Values of features by their names, such as words; they are scaled to length 1."""

    names: dict[str, float]


def _form(value: Any) -> str | None:
    if isinstance(value, str):
        return "string"
    known = ("text", "features", "names")
    if isinstance(value, dict):
        return next((name for name in known if name in value), None)
    return next((name for name in known if hasattr(value, name)), None)


Input = Annotated[
    Annotated[str, Tag("string")]
    | Annotated[TextInput, Tag("text")]
    | Annotated[FeaturesInput, Tag("features")]
    | Annotated[NamesInput, Tag("names")],
    Discriminator(
        _form,
        custom_error_type="input_form",
        custom_error_message='An input is a string, {"text": ...}, {"features": {"1": 2}} or {"names": ...}',
    ),
]


class PredictRequest(Strict):
    """Inputs, and what is wanted for each of them."""

    inputs: list[Input] = Field(min_length=1)
    k: int = Field(5, ge=1, description="How many labels.")
    probabilities: bool = Field(True, description="Scores are probabilities; false: calibrated logits.")
    approximate: Approximate = Field(
        "auto", description="Score only candidates; auto: if the model has lists of them."
    )
    exclude: Literal["input"] | None = Field(
        None, description="input: leave out the labels that an input has as features."
    )
    explain: int = Field(0, ge=0, le=50, description="How many features to tell that spoke for each label.")
    examples: int = Field(0, ge=0, le=20, description="How many training texts to tell for each label.")

    def options(self) -> Options:
        """Return what is wanted."""
        return Options(
            self.k,
            self.probabilities,
            self.approximate,
            self.exclude is not None,
            self.explain,
            self.examples,
        )


class SearchQuery(Strict):
    """A text as it is typed."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=False)

    q: str = Field(description="The text.")
    k: int = Field(10, ge=1, description="How many labels.")
    approximate: Literal["auto", "yes", "no"] = Field("auto", description="Score only candidates.")
    explain: int = Field(5, ge=0, le=50, description="How many features to tell that spoke for each label.")
    examples: int = Field(3, ge=0, le=20, description="How many training texts to tell for each label.")

    def options(self) -> Options:
        """Return what is wanted."""
        known: dict[str, bool | str] = {"auto": "auto", "yes": True, "no": False}
        return Options(self.k, True, known[self.approximate], False, self.explain, self.examples)


class Reason(BaseModel):
    """A feature that spoke for a label, and by how much it raised the logit."""

    feature: str
    amount: float


class Found(BaseModel):
    """A label."""

    label: str | int | float | bool
    score: float
    why: list[Reason] | None = Field(None, description="Only if it was asked for.")
    examples: list[str] | None = Field(None, description="Only if it was asked for.")


class Prediction(BaseModel):
    """The answer to one input."""

    labels: list[Found] = Field(description="Best first.")
    n_features: int = Field(description="Features that the input has for the model.")
    unknown: list[str] = Field(
        description="Words or features that the model does not know; pieces of words may still count."
    )


class Took(BaseModel):
    """Milliseconds: in the queue, and of the batch in which the request was scored."""

    waited: float
    scored: float


class PredictResponse(BaseModel):
    """A prediction for each input, in their order."""

    model: str
    version: str
    approximate: bool = Field(description="Whether only candidates were scored.")
    predictions: list[Prediction]
    took_ms: Took


class SearchResponse(Prediction):
    """The answer to a text."""

    model: str
    version: str
    approximate: bool
    query: str
    took_ms: Took


class Detail(BaseModel):
    """What is wrong in which part of a request."""

    where: str
    problem: str


class ErrorBody(BaseModel):
    """Every answer that is not the one asked for has this form."""

    error: str = Field(description="A sentence: what was found, what is accepted and what to do.")
    code: str = Field(description="A word for programs.")
    details: list[Detail]
    request_id: str


def limited(settings: ServerSettings) -> tuple[type[PredictRequest], type[SearchQuery]]:
    """Return the forms of requests with the limits of a server."""
    predict = create_model(
        "PredictRequest",
        __base__=PredictRequest,
        __doc__=PredictRequest.__doc__,
        inputs=(list[Input], Field(min_length=1, max_length=settings.max_inputs)),
        k=(int, Field(5, ge=1, le=settings.max_k, description="How many labels.")),
    )
    search = create_model(
        "SearchQuery",
        __base__=SearchQuery,
        __doc__=SearchQuery.__doc__,
        k=(int, Field(min(10, settings.max_k), ge=1, le=settings.max_k, description="How many labels.")),
    )
    return predict, search


def query_of(given: str | TextInput | FeaturesInput | NamesInput) -> Query:
    """Return an input as the model takes it."""
    if isinstance(given, str):
        return Text(given)
    if isinstance(given, TextInput):
        return Text(given.text)
    if isinstance(given, FeaturesInput):
        return Features({int(number): value for number, value in given.features.items()})
    return Names(given.names)
