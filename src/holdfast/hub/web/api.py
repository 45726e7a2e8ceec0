"""The API: every call in one table, and the one way from a request through it to an answer."""

import functools
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from holdfast.errors import HoldfastError, UsageError
from holdfast.hub import access
from holdfast.hub.access import Scope, Token
from holdfast.hub.parts import Parts
from holdfast.hub.web import alerting, checks, openapi, status, tokens
from holdfast.hub.web.asked import Asked, Call, Text
from holdfast.hub.web.bodies import read_body
from holdfast.hub.web.front import Front
from holdfast.hub.web.problem import problem, problem_of

PREFIX = "/api/v1"

BEARER = "bearer "


def calls() -> tuple[Call, ...]:
    """Return every call with its whole path."""
    below = (*checks.CALLS, *alerting.CALLS, *status.CALLS, *tokens.CALLS)
    return (*status.OPEN_CALLS, *(_under(PREFIX, call) for call in below))


def application(parts: Parts) -> ASGIApp:
    """Return all that the hub serves over HTTP."""
    by_path: dict[str, dict[str, Call]] = {}
    for call in calls():
        by_path.setdefault(call.path, {})[call.method] = call
    routes = [
        Route(path, _endpoint(parts, of_method), methods=list(of_method))
        for path, of_method in by_path.items()
    ]
    described = msgspec.json.encode(openapi.document(calls()))
    routes.append(Route("/api/openapi.json", _constant(described)))
    api = Starlette(
        routes=routes, exception_handlers={HTTPException: _not_served, Exception: _broken}
    )
    return Front(parts, api)


def _under(prefix: str, call: Call) -> Call:
    return Call(
        method=call.method,
        path=prefix + call.path,
        scope=call.scope,
        act=call.act,
        summary=call.summary,
        answers=call.answers,
        body=call.body,
        query=call.query,
        status=call.status,
    )


def _endpoint(
    parts: Parts, of_method: Mapping[str, Call]
) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        try:
            return await _answered(parts, of_method[method], request)
        except HoldfastError as error:
            return problem_of(error)

    return answer


async def _answered(parts: Parts, call: Call, request: Request) -> Response:
    token = await _token(parts, request)
    if call.scope is not None and (refusal := _refusal(token, call.scope)):
        return refusal
    body = await _body(call, request)
    if isinstance(body, Response):
        return body
    unknown = request.query_params.keys() - call.query.keys()
    if unknown:
        raise UsageError(f"unknown in the query: {', '.join(sorted(unknown))}")
    asked = Asked(
        path=request.path_params, query=dict(request.query_params), body=body, token=token
    )
    found = await call.act(parts, asked)
    if isinstance(found, Text):
        return Response(found.content, status_code=found.status, media_type=found.media_type)
    return Response(
        msgspec.json.encode(found), status_code=call.status, media_type="application/json"
    )


async def _token(parts: Parts, request: Request) -> Token | None:
    given = request.headers.get("authorization", "")
    if not given.lower().startswith(BEARER):
        return None
    secret, now = given[len(BEARER) :].strip(), parts.now()
    return await parts.store.read(lambda tx: access.verify(tx, secret, now))


def _refusal(token: Token | None, scope: Scope) -> Response | None:
    if token is None:
        told = "this needs a token that counts, as the header `Authorization: Bearer TOKEN`; `holdfast token create` makes one"
        return problem(401, told, {"WWW-Authenticate": "Bearer"})
    if not token.allows(scope):
        return problem(
            403, f"the token {token.name!r} is not good for this; it needs the scope {scope.value}"
        )
    return None


async def _body(call: Call, request: Request) -> object:
    """Return the struct in a body, None where none is wanted, or the answer to one that is too large."""
    try:
        content = await read_body(request.scope, request.receive)
    except ClientDisconnect:
        return problem(400, "the body did not arrive whole")
    if content is None:
        return problem(413, "the body is larger than 1 MB")
    if call.body is None:
        return None
    try:
        return _decoder(call.body).decode(content or b"{}")
    except msgspec.MsgspecError as error:
        raise UsageError(f"the body is not as expected: {error}") from error


@functools.cache
def _decoder(kind: type) -> "msgspec.json.Decoder[object]":
    return msgspec.json.Decoder(kind)


def _constant(content: bytes) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_request: Request) -> Response:
        return Response(content, media_type="application/json")

    return answer


async def _not_served(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    told = {
        404: f"there is nothing at {request.url.path}",
        405: f"{request.method} does nothing here",
    }
    return problem(error.status_code, told.get(error.status_code, error.detail), error.headers)


async def _broken(_request: Request, _error: Exception) -> Response:
    return problem(500, "the hub failed over this request; its log says why")
