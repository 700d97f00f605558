"""Templates whose settings MiniStack would drop in silence are refused, where CloudFormation would carry them out or
refuse them itself.

A property counts as dropped when the code that makes the resource never looks at it, or the code that updates it never
at one that was changed: nonsense, and what MiniStack does not do. Those of `dropped.json` are let through: a test reads
each of them from the template itself.
"""

import json
import pathlib

from ministack.services.cloudformation import provisioners

# Resource type -> properties, of MiniStack 1.5.33.
LET_THROUGH = json.loads(pathlib.Path(__file__).with_name("dropped.json").read_text())


class Watched(dict):
    """Properties that remember which of them were looked at. A look at all of them at once is one at each."""

    def __init__(self, properties):
        super().__init__(properties)
        self.seen = set()

    def __getitem__(self, name):
        self.seen.add(name)
        return super().__getitem__(name)

    def get(self, name, default=None):
        self.seen.add(name)
        return super().get(name, default)

    def pop(self, name, *default):
        self.seen.add(name)
        return super().pop(name, *default)

    def __contains__(self, name):
        self.seen.add(name)
        return super().__contains__(name)

    def __iter__(self):
        self.seen.update(super().keys())
        return super().__iter__()

    def keys(self):
        self.seen.update(super().keys())
        return super().keys()

    def values(self):
        self.seen.update(super().keys())
        return super().values()

    def items(self):
        self.seen.update(super().keys())
        return super().items()

    def copy(self):
        return dict(self.items())


def apply():
    """For resources of every type, when they are made and when they are updated."""
    for kind, handler in provisioners._RESOURCE_HANDLERS.items():
        if "create" in handler:
            handler["create"] = _making(kind, handler["create"])
        if "update" in handler:
            handler["update"] = _updating(kind, handler["update"])


def _making(kind, create):
    def created(logical_id, props, *rest):
        watched = Watched(props)
        made = create(logical_id, watched, *rest)
        _refuse(kind, logical_id, props.keys() - watched.seen)
        return made

    return created


def _updating(kind, update):
    def updated(physical_id, old_props, new_props, *rest):
        watched = Watched(new_props)
        made = update(physical_id, old_props, watched, *rest)
        changed = {name for name, value in new_props.items() if old_props.get(name) != value}
        _refuse(kind, physical_id, changed - watched.seen)
        return made

    return updated


def _refuse(kind, resource, unseen):
    dropped = sorted(unseen - set(LET_THROUGH.get(kind, ())))
    if dropped:
        raise ValueError(f"Properties validation failed for resource {resource}: {kind} has no {', '.join(dropped)}, "
                         "or the sandbox does nothing with it")
