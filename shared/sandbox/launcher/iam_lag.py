"""IAM's reads behind its writes ("IAM is eventually consistent": https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html,
"Changes that I make are not always immediately visible"), counted in reads and not in seconds (`settings.iam_lag`).

What is decided by policies is decided by what stands there now; only reads lag, of roles and of customers' policies.
"""

import copy

from ministack.services import iam

import settings

# Of an entity that was written lately: the store it is in, what it was before (None: not there), and the reads to come
# that show that.
_before = {}
OF_ALL = ("GetAccountAuthorizationDetails", "ListPolicies", "ListRoles")


def apply():
    """Puts the lag around every operation."""
    for name, handler in list(iam._IAM_HANDLERS.items()):
        iam._IAM_HANDLERS[name] = _reading(name, handler) if name.startswith(("Get", "List")) else _writing(handler)


def _entities(params):
    """The role and the policy that a request names."""
    arn = iam._p(params, "PolicyArn")
    return [(store, name) for store, name in ((iam._roles, iam._p(params, "RoleName")), (iam._policies, arn)) if name]


def _writing(handler):
    def written(params):
        entities = _entities(params) if settings.iam_lag else []
        before = {(id(store), name): (store, copy.deepcopy(store.get(name))) for store, name in entities}
        answer = handler(params)
        for (key, (store, was)) in before.items():
            if answer[0] < 300 and store.get(key[1]) != was:
                _, first, _ = _before.get(key, (store, was, 0))
                _before[key] = (store, first, settings.iam_lag)
        return answer
    return written


def _reading(name, handler):
    def read(params):
        if not settings.iam_lag:
            _before.clear()
        asked = list(_before) if name in OF_ALL else [(id(store), name) for store, name in _entities(params)]
        lagging = [key for key in asked if key in _before]
        now = {}
        for key in lagging:
            store, was, left = _before.pop(key)
            now[key] = (store, store.get(key[1]))
            _put(store, key[1], was)
            if left > 1:
                _before[key] = (store, was, left - 1)
        try:
            return handler(params)
        finally:
            for key, (store, is_now) in now.items():
                _put(store, key[1], is_now)
    return read


def _put(store, name, entity):
    if entity is None:
        store.pop(name, None)
    else:
        store[name] = entity
