"""`holdfast token create|list|revoke`: who may ask the hub over HTTP."""

import argparse

from holdfast.cli import database, render, when
from holdfast.clock import SystemClock, boot_id
from holdfast.hub import access, keys
from holdfast.model.service import Now

HEAD = ("ID", "NAME", "SCOPES", "MADE", "EXPIRES")


def run(options: argparse.Namespace) -> int:
    """Do what the verb says."""
    acts = {"create": _create, "list": _list, "revoke": _revoke}
    return acts[options.verb](options)


def _create(options: argparse.Namespace) -> int:
    """Make a token and show its secret: nobody can show it again."""
    now, secret = _now(), keys.new_secret()
    until = None if options.expires is None else now.wall + when.seconds(options.expires)
    scopes = [access.Scope(word) for word in options.scope]
    token = database.ask(
        lambda store: store.write(
            lambda tx: access.create(
                tx, secret, now, name=options.name, scopes=scopes, expires_at=until
            )
        )
    )
    if options.json:
        render.print_json({**access.as_row(token), "token": secret})
        return 0
    print(secret)
    if not options.quiet:
        render.complain(f"token {token.id} is shown this once; keep it where only its user reads")
    return 0


def _list(options: argparse.Namespace) -> int:
    rows = [
        access.as_row(token) for token in database.ask(lambda store: store.read(access.tokens))
    ]
    if options.json:
        render.print_json(rows)
    elif rows:
        print("\n".join(render.table(HEAD, map(_cells, rows))))
    elif not options.quiet:
        print("there are no tokens; `holdfast token create NAME --scope read` makes one")
    return 0


def _revoke(options: argparse.Namespace) -> int:
    now = _now()
    token = database.ask(lambda store: store.write(lambda tx: access.revoke(tx, options.id, now)))
    if options.json:
        render.print_json(access.as_row(token))
    elif not options.quiet:
        print(f"token {token.id} ({token.name}) counts no more")
    return 0


def _cells(row: dict[str, object]) -> tuple[str, ...]:
    scopes = row["scopes"]
    assert isinstance(scopes, list)
    return (
        str(row["id"]),
        str(row["name"]),
        " ".join(scopes),
        str(row["made_at"]),
        str(row["expires_at"] or "never"),
    )


def _now() -> Now:
    clock = SystemClock()
    return Now(wall=clock.wall(), mono=clock.monotonic(), boot_id=boot_id())
