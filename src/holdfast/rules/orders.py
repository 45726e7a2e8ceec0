"""What a person's orders do to a service: start, stop, restart."""

from dataclasses import replace

from holdfast.model.event import Record, RestartOrdered, StartOrdered, StopOrdered
from holdfast.model.service import Actual, Desired, Now, Pending, Reason, ServiceState, Step
from holdfast.model.spec import ServiceSpec
from holdfast.rules import restart
from holdfast.rules.transitions import Outcome, ask_to_end, begin, enter, kill


def start(spec: ServiceSpec, state: ServiceState, event: StartOrdered, now: Now) -> Outcome:
    """Start a service that is not running; `up` leaves alone what waits for its moment or is done."""
    if not event.forgive and state.actual in (Actual.BACKOFF, Actual.HELD, Actual.DONE):
        return _wanted_up(state, event), ()
    follows_an_end = state.actual is not Actual.DOWN
    pending = Pending(reason=Reason.MANUAL) if follows_an_end else None
    return begin(spec, _wanted_up(state, event), pending, now)


def start_later(
    _spec: ServiceSpec, state: ServiceState, event: StartOrdered, _now: Now
) -> Outcome:
    """Remember the order while the old process still ends: never two copies.

    `up` leaves alone a service that ends by itself: the restart rules know what follows.
    """
    goes_down = state.desired is Desired.DOWN or state.closing
    state = _wanted_up(state, event)
    if not (event.forgive or goes_down) or (state.pending and not state.pending.counted):
        return state, ()
    return replace(state, pending=Pending(reason=Reason.MANUAL)), ()


def start_waiting(
    spec: ServiceSpec, state: ServiceState, event: StartOrdered, now: Now
) -> Outcome:
    """Look again whether everything needed is there."""
    return begin(spec, _wanted_up(state, event), state.pending, now)


def keep_wish(_spec: ServiceSpec, state: ServiceState, event: StartOrdered, _now: Now) -> Outcome:
    """Remember the wish: it runs already, or nobody can tell whether it does."""
    return _wanted_up(state, event), ()


def stop_running(spec: ServiceSpec, state: ServiceState, event: StopOrdered, now: Now) -> Outcome:
    """Stop a living service."""
    state = replace(_wanted_down(state, event), pending=None)
    if event.kill:
        return kill(enter(state, Actual.STOPPING, now), now)
    return ask_to_end(spec, state, now)


def stop_stopping(
    _spec: ServiceSpec, state: ServiceState, event: StopOrdered, now: Now
) -> Outcome:
    """Remember that it stays down; a second, harder order kills at once."""
    state = replace(_wanted_down(state, event), pending=None)
    if not event.kill or state.step is Step.KILLED:
        return state, ()
    return kill(state, now)


def stop_waiting(_spec: ServiceSpec, state: ServiceState, event: StopOrdered, now: Now) -> Outcome:
    """Cancel a start that has not happened."""
    state = enter(replace(_wanted_down(state, event), pending=None), Actual.DOWN, now)
    return state, (Record(kind="service.stopped"),)


def stop_ended(_spec: ServiceSpec, state: ServiceState, event: StopOrdered, now: Now) -> Outcome:
    """Remember that it stays down."""
    state = _wanted_down(state, event)
    return (state if event.closing else enter(state, Actual.DOWN, now)), ()


def stop_beyond_reach(
    _spec: ServiceSpec, state: ServiceState, event: StopOrdered, _now: Now
) -> Outcome:
    """Remember the wish for a process that cannot be ended from here."""
    return replace(_wanted_down(state, event), pending=None), ()


def restart_running(
    spec: ServiceSpec, state: ServiceState, event: RestartOrdered, now: Now
) -> Outcome:
    """End the present process and start another, planned or after a fault."""
    if event.reason is Reason.MANUAL:
        state = _wanted_up(state, StartOrdered(forgive=event.forgive))
    state = replace(
        state,
        level=restart.level_after(spec.restart, state, now),
        pending=Pending(reason=event.reason, counted=event.counted),
    )
    return ask_to_end(spec, state, now, signal=event.signal)


def restart_idle(
    spec: ServiceSpec, state: ServiceState, event: RestartOrdered, now: Now
) -> Outcome:
    """Start at once when a person asks; a planned restart of nothing is nothing."""
    return (
        start(spec, state, StartOrdered(), now) if event.reason is Reason.MANUAL else (state, ())
    )


def restart_later(
    spec: ServiceSpec, state: ServiceState, event: RestartOrdered, now: Now
) -> Outcome:
    """Start once the old process is gone."""
    return (
        start_later(spec, state, StartOrdered(), now)
        if event.reason is Reason.MANUAL
        else (state, ())
    )


def _wanted_up(state: ServiceState, event: StartOrdered) -> ServiceState:
    state = replace(state, desired=Desired.UP, closing=False)
    if not event.forgive:
        return state
    return replace(state, level=0, history=restart.forgiven(state.history))


def _wanted_down(state: ServiceState, event: StopOrdered) -> ServiceState:
    return replace(state, closing=True) if event.closing else replace(state, desired=Desired.DOWN)
