"""Tokens over HTTP; a secret is shown once, in the answer that made it."""

import msgspec

from holdfast.hub import access, keys
from holdfast.hub.access import Scope
from holdfast.hub.parts import Parts
from holdfast.hub.web.asked import Asked, Call, span, whole


class TokenBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The name of a new token, what it is good for, and for how many seconds; None for ever."""

    name: str
    scopes: tuple[Scope, ...]
    for_s: float | None = None


async def _list(parts: Parts, _asked: Asked) -> object:
    return [access.as_row(token) for token in await parts.store.read(access.tokens)]


async def _create(parts: Parts, asked: Asked) -> object:
    body: TokenBody = asked.body
    now, secret = parts.now(), keys.new_secret()
    lasts = span("for_s", body.for_s)
    until = None if lasts is None else now.wall + lasts
    made = await parts.store.write(
        lambda tx: access.create(
            tx, secret, now, name=body.name, scopes=body.scopes, expires_at=until
        )
    )
    return {**access.as_row(made), "secret": secret}


async def _revoke(parts: Parts, asked: Asked) -> object:
    now, number = parts.now(), whole("id", asked.path["id"], 2**62)
    return access.as_row(await parts.store.write(lambda tx: access.revoke(tx, number, now)))


CALLS = (
    Call(
        method="GET",
        path="/tokens",
        scope=Scope.ADMIN,
        act=_list,
        summary="The tokens that count, without their secrets.",
        answers='a list of `{"id", "name", "scopes", "made_at", "expires_at"}`',
    ),
    Call(
        method="POST",
        path="/tokens",
        scope=Scope.ADMIN,
        act=_create,
        body=TokenBody,
        summary="Make a token.",
        answers="the token with its `secret`, which is shown only here",
        status=201,
    ),
    Call(
        method="DELETE",
        path="/tokens/{id}",
        scope=Scope.ADMIN,
        act=_revoke,
        summary="Let a token count no more.",
        answers="the token",
    ),
)
