"""JSON Merge Patch (RFC 7396)."""

from holdfast.statefile.jsondoc.value import NotJson


def merge(target: object, patch: object) -> object:
    """Return a copy of a value with a patch merged in: null removes a member, an object merges, all else replaces.

    Raises:
        NotJson: the patch is nested too deeply.
    """
    try:
        return _merged(target, patch)
    except RecursionError as error:
        raise NotJson("the patch is nested too deeply") from error


def _merged(target: object, patch: object) -> object:
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged
