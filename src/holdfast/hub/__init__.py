"""The wing that knows and tells: checks, alerts, HTTP."""
