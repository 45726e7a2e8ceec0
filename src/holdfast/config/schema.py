"""The whole of holdfast.toml as one struct, and its JSON Schema."""

from collections.abc import Mapping
from typing import Annotated, assert_never

from msgspec import field

from holdfast.config.kinds.base import Filled
from holdfast.config.sections.base import Section, doc
from holdfast.config.sections.machine import Hub, Machine, Startup, Supervisor, Watchdog
from holdfast.config.sections.service import Defaults, Service
from holdfast.config.sections.watching import AgentTimes, Alerts, Tasks
from holdfast.config.sections.work import (
    Backup,
    Check,
    Job,
    MaintenanceWindow,
    ManagedAgent,
    Notify,
)
from holdfast.config.shape import Field, Leaf, ListOf, Record, Shape, TableOf, record_of, shown

NAMED_SECTIONS = ("service", "job", "backup", "check", "notify", "maintenance", "agent")
"""Sections whose tables bear a name each; those of two files stand side by side."""


class Document(Section, frozen=True, kw_only=True):
    """Everything a holdfast.toml and the files it includes may say."""

    include: Annotated[
        tuple[Filled, ...], doc("Patterns of files read as parts of this one.")
    ] = ()
    machine: Annotated[Machine, doc("This machine.")] = Machine()
    hub: Annotated[Hub, doc("The process with the database and the dashboard.")] = Hub()
    watchdog: Annotated[Watchdog, doc("The process that keeps the supervisor alive.")] = Watchdog()
    alerts: Annotated[Alerts, doc("When and how often a person is told.")] = Alerts()
    agents: Annotated[AgentTimes, doc("How agents prove that they live.")] = AgentTimes()
    tasks: Annotated[Tasks, doc("How tasks are handed out and taken back.")] = Tasks()
    supervisor: Annotated[Supervisor, doc("The process that keeps services alive.")] = Supervisor()
    startup: Annotated[Startup, doc("What `up` does beside starting services.")] = Startup()
    defaults: Annotated[Defaults, doc("What every service inherits.")] = Defaults()
    service: Annotated[dict[str, Service], doc("Services, by name.")] = field(default_factory=dict)
    job: Annotated[dict[str, Job], doc("Jobs, by name.")] = field(default_factory=dict)
    backup: Annotated[dict[str, Backup], doc("Backed-up projects, by name.")] = field(
        default_factory=dict
    )
    check: Annotated[dict[str, Check], doc("Checks, by name.")] = field(default_factory=dict)
    notify: Annotated[dict[str, Notify], doc("Channels, by name.")] = field(default_factory=dict)
    maintenance: Annotated[
        dict[str, MaintenanceWindow], doc("Windows in which nobody is told, by name.")
    ] = field(default_factory=dict)
    agent: Annotated[dict[str, ManagedAgent], doc("Managed agents, by name.")] = field(
        default_factory=dict
    )


def json_schema() -> dict[str, object]:
    """Return the JSON Schema (2020-12) of holdfast.toml, with descriptions and defaults."""
    definitions: dict[str, object] = {}
    top = _schema(record_of(Document), definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "holdfast.toml",
        **top,
        "$defs": dict(sorted(definitions.items())),
    }


def _schema(shape: Shape, definitions: dict[str, object]) -> dict[str, object]:
    match shape:
        case Leaf(kind=kind):
            return _or_reference(kind.schema)
        case ListOf(item=item):
            return {"type": "array", "items": _schema(item, definitions)}
        case TableOf(item=item, keys=keys):
            names = {} if keys is None else {"propertyNames": dict(keys.schema)}
            return {
                "type": "object",
                **names,
                "additionalProperties": _schema(item, definitions),
            }
        case Record():
            return _reference(shape, definitions)
        case _:
            assert_never(shape)


def _or_reference(schema: Mapping[str, object]) -> dict[str, object]:
    """Return `schema` with every pattern letting `${VAR}` stand for what it will become."""
    pattern = schema.get("pattern")
    return {**schema, "pattern": rf"{pattern}|\$\{{"} if pattern else dict(schema)


def _reference(record: Record, definitions: dict[str, object]) -> dict[str, object]:
    name = record.struct.__name__
    if name not in definitions:
        definitions[name] = {}
        definitions[name] = _object(record, definitions)
    return {"$ref": f"#/$defs/{name}"}


def _object(record: Record, definitions: dict[str, object]) -> dict[str, object]:
    required = [field.name for field in record.fields if field.required]
    return {
        "type": "object",
        "description": (record.struct.__doc__ or "").strip(),
        "properties": {field.name: _property(field, definitions) for field in record.fields},
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def _property(field: Field, definitions: dict[str, object]) -> dict[str, object]:
    told: dict[str, object] = {**_schema(field.shape, definitions), "description": field.doc}
    if field.required or isinstance(field.shape, Record | TableOf):
        return told
    value = shown(field.shape, field.default)
    return told if value is None else {**told, "default": value}
