"""The open list of causes, and what they find."""

from collections.abc import Iterator, Mapping
from typing import Literal, Protocol

from maskwright.records import Record
from maskwright.registry import Registry
from maskwright.training.health.seen import Moment, Seen

Severity = Literal["error", "warning", "note"]
"""error: training cannot go on, or would be refused; warning: the model will be worse than it need be; note: worth
knowing, told in the report and in `health.jsonl` alone.
"""


class Finding(Record):
    """One thing that goes wrong, or looks so."""

    code: str
    """What kind of thing, in the words of the cause: `rate-too-high`."""
    severity: Severity
    title: str
    """One line with the numbers."""
    why: str
    """What it means for the model."""
    remedy: str
    """What to do; settings as one would type them, `optimizer.lr=1e-3`."""
    strength: float = 1.0
    """How bad, in a measure of the cause's own: when it has doubled, the finding is told again."""

    def __str__(self) -> str:
        return f"{self.title}. {self.why} {self.remedy}"


class Cause(Protocol):
    """Looks at what was seen of a training and tells what goes wrong."""

    moments: frozenset[Moment]
    """When it looks."""
    tells: Mapping[str, str]
    """Each code it may find → by what it is told, for the docs."""

    def __call__(self, seen: Seen) -> Iterator[Finding]:
        """What is found now; nothing where all is well."""


causes: Registry[Cause] = Registry("cause", "maskwright.training.health")


def examine(seen: Seen, moment: Moment) -> list[Finding]:
    """All that the causes find which look at such a moment."""
    return [finding for _, cause in causes.items() if moment in cause.moments for finding in cause(seen)]


def codes(moment: Moment) -> set[str]:
    """All that could be found at such a moment."""
    return {code for _, cause in causes.items() if moment in cause.moments for code in cause.tells}


def table() -> list[str]:
    """A line of a Markdown table for each code, as `docs/training.md` has them."""
    told = sorted((code, text) for _, cause in causes.items() for code, text in cause.tells.items())
    return [f"| `{code}` | {text} |" for code, text in told]
