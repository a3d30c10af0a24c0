"""Building a settings model is a part of every start, so what makes it slow and serves nobody is kept out."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from haulier.runs.resolving.builtins import load_registry


def models_below(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for model in kind.__subclasses__():
        yield model
        yield from models_below(model)


def test_no_model_has_list_as_a_default_factory() -> None:
    """Pydantic takes a default factory's signature to pieces, which for `list` means to parse its text."""
    assert load_registry().broken == ()
    models = [model for model in models_below(BaseModel) if model.__module__.startswith("haulier")]
    assert len(models) > 20
    slow = [
        f"{model.__name__}.{name}"
        for model in models
        for name, field in model.model_fields.items()
        if field.default_factory is list
    ]
    assert slow == []
