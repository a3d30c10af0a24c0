"""Loading plugins one by one: what fails is kept with its reason, and stops nobody else."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import pluggy
from pydantic import ValidationError

from haulier.errors import PluginError
from haulier.model.fault_words import fault_words
from haulier.model.wording import one_line
from haulier.plugins import hookspecs
from haulier.plugins.checks import faults
from haulier.plugins.installed import GROUP, EntryPoint, entry_points, version_of
from haulier.plugins.offers import OFFERED, BrokenPlugin, Loaded, Offer, Plugin
from haulier.plugins.settling import settle
from haulier.plugins.wording import known

__all__ = ["load"]

_PREFIX = f"{hookspecs.PROJECT}_"


def load(builtins: Sequence[object], *, allowed: str | None = None) -> Loaded:
    """Load the built-in plugins handed in, then those that installed distributions name in `GROUP`.

    allowed: entry point names joined by commas, as HAULIER_PLUGINS gives them: only these are loaded, an
    empty text loads none, None loads all. Built-in plugins are always loaded, and raise PluginError where
    they do not hold; an installed one that cannot be imported, has a misspelt hook, raises, returns what does
    not hold or takes a name that is taken becomes a `BrokenPlugin`. The order is the built-in ones' own, then
    by name.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    own = [_register(manager, plugin, **_whence(plugin)) for plugin in builtins]
    plugins: list[Plugin] = list(own)
    broken: list[BrokenPlugin] = []
    found, left_out, unknown = _chosen(allowed)
    broken += unknown
    for point in found:
        whence = {"name": point.name, "distribution": point.distribution, "version": point.version}
        try:
            plugins.append(_register(manager, _import(point), **whence))
        except PluginError as error:
            broken.append(BrokenPlugin(error=one_line(str(error)), **whence))
    standing, unfit = settle(plugins)
    for plugin, reason in unfit:
        if plugin in own:
            raise PluginError(reason)
        whence = {"name": plugin.name, "distribution": plugin.distribution, "version": plugin.version}
        broken.append(BrokenPlugin(error=one_line(reason), **whence))
    broken.sort(key=lambda plugin: (plugin.name, plugin.distribution))
    return Loaded(plugins=tuple(standing), broken=tuple(broken), left_out=tuple(left_out))


def _chosen(allowed: str | None) -> tuple[list[EntryPoint], list[str], list[BrokenPlugin]]:
    """(entry points to load, names of those left out, allowed names that nobody installed)."""
    found = sorted(entry_points(GROUP), key=lambda point: (point.name, point.distribution))
    if allowed is None:
        return found, [], []
    wanted = {name.strip() for name in allowed.split(",")} - {""}
    there = sorted({point.name for point in found})
    unknown = [
        BrokenPlugin(
            name=name,
            distribution="(not installed)",
            version="",
            error="HAULIER_PLUGINS allows it, but no installed distribution has a plugin of that name; "
            + known(name, there),
        )
        for name in sorted(wanted.difference(there))
    ]
    return (
        [point for point in found if point.name in wanted],
        [name for name in there if name not in wanted],
        unknown,
    )


def _import(point: EntryPoint) -> object:
    try:
        plugin: object = point.load()
    # A stranger's module may raise anything, and one that calls sys.exit() must not end this process.
    except (Exception, SystemExit) as error:
        raise PluginError(f"importing {point.value} raised {_told(error)}") from error
    return plugin


def _register(
    manager: pluggy.PluginManager, plugin: object, *, name: str, distribution: str, version: str
) -> Plugin:
    """Register one plugin and ask it what it brings; where something fails, forget it and raise."""
    if (other := manager.get_name(plugin)) is not None:
        raise PluginError(f"it is the same object as the plugin {other}, which was loaded before it")
    try:
        manager.register(plugin, name=f"{distribution}:{name}")
        manager.check_pending()
        _refuse_unmarked(manager, plugin)
        offers = {field: _ask(manager, plugin, field) for field in OFFERED}
        _refuse_faults(offer for group in offers.values() for offer in group)
    # What a stranger registered may raise anything wherever it is looked at.
    except (Exception, SystemExit) as error:
        if manager.is_registered(plugin):
            manager.unregister(plugin)
        if isinstance(error, PluginError):
            raise
        misspelt = _misspelt(plugin) if isinstance(error, pluggy.PluginValidationError) else ""
        raise PluginError(misspelt or f"looking at it raised {_told(error)}") from error
    module = _module_of(plugin)
    return Plugin(name=name, distribution=distribution, version=version, module=module, **offers)  # type: ignore[arg-type]


def _ask(manager: pluggy.PluginManager, plugin: object, field: str) -> tuple[Offer, ...]:
    """What this plugin alone answers to one hook; another's wrapper around the hook has no say in it."""
    hook, (kind, _) = _PREFIX + field, OFFERED[field]
    others = [other for other in manager.get_plugins() if other is not plugin]
    try:
        answers = [_listed(answer, hook, kind) for answer in manager.subset_hook_caller(hook, others)()]
    except PluginError:
        raise
    except (Exception, SystemExit) as error:  # a stranger's hook may raise anything
        raise PluginError(f"{hook} raised {_told(error)}") from error
    return tuple(offer for answer in answers for offer in answer)


def _listed(answer: Any, hook: str, kind: type[Offer]) -> list[Offer]:
    if not isinstance(answer, Iterable) or isinstance(answer, (str, bytes, kind)):
        raise PluginError(f"{hook} returned {_article(answer)}; it returns a list of {kind.__name__}")
    offers = list(answer)
    for index, offer in enumerate(offers):
        if not isinstance(offer, kind):
            raise PluginError(
                f"{hook} returned {_article(offer)} as number {index} of its list of {kind.__name__}"
            )
    return offers


def _refuse_faults(offers: Iterable[Offer]) -> None:
    if found := [fault for offer in offers for fault in faults(offer)]:
        raise PluginError("; ".join(found))


def _refuse_unmarked(manager: pluggy.PluginManager, plugin: object) -> None:
    """A function named like a hook but without the marker would never be called, and nobody would be told."""
    for name in _named_like_hooks(plugin):
        if manager.parse_hookimpl_opts(plugin, name) is None:
            raise PluginError(f"{name} is named like a hook, but has no @hookimpl above it")


def _misspelt(plugin: object) -> str:
    """Which functions are named like a hook but are none, and what may be meant; or an empty text."""
    hooks = [_PREFIX + field for field in OFFERED]
    return "; ".join(
        f"there is no hook {name}; {known(name, hooks)}"
        for name in _named_like_hooks(plugin)
        if name not in hooks
    )


def _named_like_hooks(plugin: object) -> Iterator[str]:
    return (
        name for name in dir(plugin) if name.startswith(_PREFIX) and inspect.isroutine(getattr(plugin, name))
    )


def _whence(builtin: object) -> dict[str, str]:
    """Name and origin of a plugin that was handed in: core's own, or the embedding program's."""
    module = _module_of(builtin)
    top, _, _ = module.partition(".")
    if top != hookspecs.PROJECT:
        return {"name": module, "distribution": "(handed in)", "version": ""}
    return {"name": module.rpartition(".")[2], "distribution": top, "version": _own_version()}


def _module_of(plugin: object) -> str:
    """The module that a plugin is, or whose class it is of."""
    module: str = getattr(plugin, "__name__", type(plugin).__module__)
    return module


@cache
def _own_version() -> str:
    """The version of core as installed, which stays the same while it runs; empty where it is run from sources."""
    return version_of(hookspecs.PROJECT)


def _told(error: BaseException) -> str:
    if isinstance(error, ValidationError):
        faulty = (
            f"{'.'.join(map(str, fault['loc'])) or 'all'}: {fault_words(fault)}" for fault in error.errors()
        )
        return f"{type(error).__name__} of {error.title}: {'; '.join(faulty)}"
    return f"{type(error).__name__}: {error}".rstrip(": ")


def _article(value: Any) -> str:
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
