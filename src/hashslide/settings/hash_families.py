"""Hash families: how the neurons of a layer lie in hash tables; see docs/how/hash_families.md."""

import math
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from hashslide import _core
from hashslide.errors import InputError
from hashslide.settings.base import Settings, own_values
from hashslide.settings.constraints import Checked, Choice, Composed, Flag, Integer, Real
from hashslide.settings.limits import Count, Parts, Size, Switch

__all__ = [
    "DWTA",
    "HASH",
    "HASH_FAMILIES",
    "HASH_KINDS",
    "LEARNING",
    "MAX_CENTRED",
    "POLICIES",
    "PROTOCOL",
    "WTA",
    "CustomHash",
    "FastSimHash",
    "Hash",
    "HashFamily",
    "KMeans",
    "MinHash",
    "MissingFamily",
    "RandomFamily",
    "SignCodes",
    "SignFamily",
    "SimHash",
    "SparseSimHash",
    "TableFamily",
    "WinnerFamily",
    "check_own_family",
    "lacking_parts",
]


def __dir__() -> list[str]:
    return __all__


POLICIES = ("fifo", "reservoir")
PROTOCOL = ("n_tables", "n_buckets", "draw", "hash", "probe")  # of a hash family written in Python
LEARNING = ("learn", "learned", "restore")  # and of one that learns
MAX_CENTRED = 2**16  # inputs of a layer: centred queries are dense


Growth = Annotated[float, Real(1, math.inf, "()")]


@dataclass(frozen=True, kw_only=True, repr=False)
class HashFamily(Settings):
    """What all families have in common: how neurons become vectors, and when they are hashed again.

    Parameters
    ----------
    rehash_first : int >= 1
        Step of the first build of the tables.
    rehash_growth : float > 1
        Each full rebuild comes after so many times as many steps as the one before.
    rehash_changed : float > 0
        A full rebuild comes earlier when so large a share of all codes has changed.
    rehash_every : int >= 1
        Steps between two re-hashes of the neurons that have changed.
    bias, centre, augment : bool
        Neurons are hashed as (w, b); minus the mean of all neurons; with a coordinate that makes all of them
        equally long.
    centre_queries : bool or None
        Queries are hashed minus their mean, which the neurons' last coordinate makes up for (needs `bias`).
        None: where the family gains by it, unless the layer has more than 65,536 inputs.
    """

    rehash_first: Count = 50
    rehash_growth: Growth = 1.5
    rehash_changed: Annotated[float, Real(0, math.inf, "()")] = 1.0
    rehash_every: Count = 200
    bias: Switch = True
    centre: Switch = False
    centre_queries: Annotated[bool | None, Flag(none=True)] = None
    augment: Switch = False

    gains_by_centring: ClassVar[bool] = False  # the queries

    def _complete(self) -> None:
        if self.centre_queries and not self.bias:
            raise InputError(
                f"{self!r}: centre_queries needs bias=True, because what the queries lose is added to the "
                "biases."
            )

    def centres_queries(self, width: int) -> bool:
        """Tell whether a layer of `width` inputs subtracts the mean of its queries."""
        if self.centre_queries is None:
            return self.gains_by_centring and self.bias and width <= MAX_CENTRED
        return self.centre_queries

    @property
    def most_counted(self) -> int | None:
        """How often a look-up can find one neuron: once in each table. None: that is not known."""
        tables: int | None = getattr(self, "tables", None)
        return tables

    def width(self, inputs: int) -> int:
        """Return the coordinates of a hashed neuron of so many inputs."""
        return inputs + self.bias + self.augment

    def copy_to(self, core: "_core.SelectorConfig", inputs: int) -> None:
        """Set the attributes of the core's settings for neurons of so many inputs."""
        core.family = self.name
        self._copy_fields(core, inputs)

    def _copy_fields(self, core: "_core.SelectorConfig", inputs: int) -> None:
        for name, value in (own_values(self) | {"centre_queries": self.centres_queries(inputs)}).items():
            if name != "family":
                setattr(core, name, value)


@dataclass(frozen=True, kw_only=True, repr=False)
class TableFamily(HashFamily):
    """Families whose tables have buckets.

    Parameters
    ----------
    probes : int >= 1
        Buckets looked up in each table.
    bucket_size : int >= 0
        Members of a bucket that a look-up sees; 0: all.
    bucket_policy : {"reservoir", "fifo"}
        Which members of a full bucket it sees: a uniform sample, or the last ones.
    norm_ranges : int >= 1
        Parts of equal size into which the neurons are split by length, each with buckets of its own.
    **kwargs
        The fields of `HashFamily`.
    """

    probes: Count = 1
    bucket_size: Size = 128
    bucket_policy: Annotated[str, Choice(POLICIES)] = "reservoir"
    norm_ranges: Parts = 1


@dataclass(frozen=True, kw_only=True, repr=False)
class RandomFamily(TableFamily):
    """Families that draw elementary hashes at random and combine them into the number of a bucket.

    Parameters
    ----------
    tables : int >= 1
        L, the number of hash tables.
    hashes : int >= 1
        K, the number of elementary hashes of each table.
    **kwargs
        The fields of `TableFamily`.
    """

    tables: Parts = 50
    hashes: Parts = 6


@dataclass(frozen=True, kw_only=True, repr=False)
class SignFamily(RandomFamily):
    """Signs of random projections, for angles (Charikar 2002). Fields: see `RandomFamily`, `TableFamily`."""

    hashes: Parts = 9

    gains_by_centring: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True, repr=False)
class SimHash(SignFamily):
    """Signs of projections on Gaussian vectors. Fields: see `SignFamily`."""

    name: ClassVar[str] = "simhash"


@dataclass(frozen=True, kw_only=True, repr=False)
class SparseSimHash(SignFamily):
    """`SimHash` with projections of which a third of the entries is not zero, without multiplications."""

    name: ClassVar[str] = "sparse_simhash"


@dataclass(frozen=True, kw_only=True, repr=False)
class FastSimHash(SignFamily):
    """`SimHash` with fast Hadamard rotations as projections."""

    name: ClassVar[str] = "fast_simhash"


@dataclass(frozen=True, kw_only=True, repr=False)
class WinnerFamily(RandomFamily):
    """Families that tell which of some coordinates is largest.

    Parameters
    ----------
    bin_size : int, a power of two
        Coordinates that one hash compares.
    **kwargs
        The fields of `RandomFamily` and `TableFamily`.
    """

    bin_size: Annotated[int, Integer(2, 2**16, is_power_of_two=True)] = 8


@dataclass(frozen=True, kw_only=True, repr=False)
class WTA(WinnerFamily):
    """Winner-take-all hashing (Yagnik et al. 2011). Fields: see `WinnerFamily`."""

    name: ClassVar[str] = "wta"


@dataclass(frozen=True, kw_only=True, repr=False)
class DWTA(WinnerFamily):
    """Densified winner-take-all hashing, for sparse vectors (Chen & Shrivastava 2018); SLIDE's family."""

    name: ClassVar[str] = "dwta"


@dataclass(frozen=True, kw_only=True, repr=False)
class MinHash(RandomFamily):
    """Minima over the set of the largest coordinates, for Jaccard similarity (Broder 1997).

    Parameters
    ----------
    top : int >= 1
        Largest coordinates that are the set.
    **kwargs
        The fields of `RandomFamily` and `TableFamily`.
    """

    hashes: Parts = 4
    top: Count = 32

    name: ClassVar[str] = "minhash"


@dataclass(frozen=True, kw_only=True, repr=False)
class KMeans(TableFamily):
    """Cells around centres that are learned from the neurons.

    Parameters
    ----------
    tables : int >= 1
        Clusterings, each of which is a table.
    cells : int >= 0
        Buckets of a table; 0: twice the square root of the number of neurons.
    **kwargs
        The fields of `TableFamily`, four of them with other defaults.
    """

    tables: Parts = 1
    cells: Size = 0
    probes: Count = 4
    bucket_size: Size = 0
    rehash_growth: Growth = 3.0
    centre: Switch = True

    name: ClassVar[str] = "kmeans"
    gains_by_centring: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True, repr=False)
class SignCodes(HashFamily):
    """No tables: the signs of random projections as the packed bits of a code, for the samplers that count.

    Of all neurons those are chosen whose codes have most bits in common with the query's: the ones that
    ``FastSimHash(tables=bits, hashes=1, bucket_size=0)`` finds in most tables, many times sooner. A choice
    reads all codes, ``bits / 8`` bytes of each neuron.

    Parameters
    ----------
    bits : int >= 1
    **kwargs
        The fields of `HashFamily`.
    """

    bits: Parts = 512

    name: ClassVar[str] = "sign_codes"
    gains_by_centring: ClassVar[bool] = True

    @property
    def most_counted(self) -> int:
        """How many bits a neuron can have in common with a query."""
        return self.bits

    def copy_to(self, core: "_core.SelectorConfig", inputs: int) -> None:
        """Set the attributes of the core's settings for neurons of so many inputs."""
        core.family, core.tables, core.hashes = self.name, self.bits, 1
        for name, value in (own_values(self) | {"centre_queries": self.centres_queries(inputs)}).items():
            if name != "bits":
                setattr(core, name, value)


@dataclass(frozen=True)
class MissingFamily:
    """In a loaded model: a hash family of the user's own, of which a file only holds the class's name."""

    class_name: str

    def __str__(self) -> str:
        return f"the hash family {self.class_name!r} of your own"


def lacking_parts(family: Any) -> list[str]:
    """Return what an object lacks of the protocol of hash families."""
    learns = any(hasattr(family, part) for part in LEARNING)
    return [part for part in (*PROTOCOL, *LEARNING * learns) if not hasattr(family, part)]


def check_own_family(name: str, family: Any) -> Any:
    """Return a hash family of the user's own, or refuse an object that cannot be one."""
    lacking = [] if isinstance(family, MissingFamily) else lacking_parts(family)
    if lacking:
        raise InputError(
            f"{name} is a {type(family).__name__} without {', '.join(lacking)}; accepted are "
            f"{', '.join(map(repr, HASH_FAMILIES))}, settings such as DWTA(...), and an object with the "
            "protocol in docs/how/hash_families.md."
        )
    return family


@dataclass(frozen=True, kw_only=True, repr=False)
class CustomHash(TableFamily):
    """A hash family written in Python.

    Parameters
    ----------
    family : object
        With the protocol in docs/how/hash_families.md. Each network copies it, so that it draws and learns
        functions for itself.
    **kwargs
        The fields of `TableFamily`.
    """

    family: Annotated[Any, Checked(check_own_family, "an object with the protocol of hash families")] = field(
        kw_only=False
    )

    name: ClassVar[str] = "custom"

    @property
    def is_missing(self) -> bool:
        """Whether the family is not there: the model was loaded from a file without it."""
        return isinstance(self.family, MissingFamily)

    @property
    def most_counted(self) -> int | None:
        """How often a look-up can find one neuron: once in each table. None: the family is missing."""
        return None if self.is_missing else int(self.family.n_tables)

    def copy_to(self, core: "_core.SelectorConfig", inputs: int) -> None:
        """Set the attributes of the core's settings for neurons of so many inputs."""
        self._copy_fields(core, inputs)
        if self.is_missing:
            core.sampler = "all"  # predictions need no tables
        else:
            core.set_family(deepcopy(self.family), self.width(inputs))


HASH_FAMILIES = {cls.name: cls for cls in (SimHash, SparseSimHash, FastSimHash, WTA, DWTA, MinHash, KMeans)}
HASH_KINDS: dict[str, type[HashFamily]] = HASH_FAMILIES | {
    SignCodes.name: SignCodes
}  # and the one without tables


@dataclass(frozen=True)
class Hash(Composed):
    """A hash family: settings, the name of a built-in family, or an object of the user's own."""

    def check(self, name: str, value: Any) -> Any:
        if isinstance(value, HashFamily | str | type | None):
            return super().check(name, value)
        return CustomHash(check_own_family(name, value))

    def convert(self, name: str, value: Any) -> HashFamily:
        return value if isinstance(value, CustomHash) else super().convert(name, value)


HASH = Hash(HASH_KINDS, none=True)
