"""What a content format is asked for before a run begins: expressions in its settings, and the shape of its payload."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from haulier.errors import DestinationError, RecordError
from haulier.model.expression import Expression, RunFacts, parse
from haulier.model.parts import ContentEncoder, Settings
from haulier.runs.guarding import guarded

__all__ = ["check_expressions", "check_shape", "settings_for_run", "settings_vary"]


def check_expressions(encoder: ContentEncoder, settings: Settings) -> None:
    """Read the expressions of a format's settings; ExpressionError names setting, expression and column."""
    for _ in _expressions(encoder, settings):
        pass


def settings_vary(encoder: ContentEncoder, settings: Settings) -> bool:
    """Whether bodies differ from run to run because the settings use the run's start or id."""
    return any(expression.varies for _, expression in _expressions(encoder, settings))


def settings_for_run(encoder: ContentEncoder, settings: Settings, facts: RunFacts) -> Settings:
    """The settings with the facts of a run filled in; ExpressionError names a param that was not given."""
    if not encoder.expressions:
        return settings
    filled = {name: str(expression.resolve(facts)) for name, expression in _expressions(encoder, settings)}
    return settings.model_copy(update=filled)


def check_shape(encoder: ContentEncoder, settings: Settings, payload: Any) -> None:
    """Try a payload of one empty record; DestinationError where the format cannot carry its shape."""
    try:
        guarded(encoder.encode, f"content format {encoder.name}")(payload, _tried(encoder, settings))
    except RecordError:
        pass  # an empty record need not make a body
    except DestinationError as error:
        raise DestinationError(f"batching: {error}") from error


def _tried(encoder: ContentEncoder, settings: Settings) -> Settings:
    """The settings with facts of no run: every param is an empty text."""
    names = {name for _, expression in _expressions(encoder, settings) for name in expression.names_params}
    return settings_for_run(encoder, settings, RunFacts("", 0.0, dict.fromkeys(names, "")))


def _expressions(encoder: ContentEncoder, settings: Settings) -> Iterator[tuple[str, Expression]]:
    for name in encoder.expressions:
        yield name, parse(getattr(settings, name), place=f"format_settings.{name}")
