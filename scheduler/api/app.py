"""The FastAPI app: routes put together around one context."""

from fastapi import FastAPI

from scheduler.api import (
    catalog,
    configuration_routes,
    drift_routes,
    failures,
    health_routes,
    journal_routes,
    lease_routes,
    notification_routes,
    orphan_routes,
    release_routes,
    rollback_routes,
    rollout_routes,
    run_routes,
    safety_routes,
    state_routes,
)
from scheduler.api.limits import BodyLimit
from scheduler.assembly import build_context
from scheduler.context import SchedulerContext
from shared.settings import Settings


def create_app(settings: Settings, *, context: SchedulerContext | None = None) -> FastAPI:
    """The API. Without a `context` one is built from the settings: the database migrated, tokens and key made.

    Raises `ConfigurationError` and `Unavailable` when that fails; nothing is served then.
    """
    app = FastAPI(
        title="Interlock",
        version="1",
        summary="Targets, runs, leases, journal and Terraform state of an Interlock installation.",
    )
    app.state.context = context or build_context(settings)
    for module in (
        catalog,
        configuration_routes,
        release_routes,
        run_routes,
        rollout_routes,
        rollback_routes,
        safety_routes,
        drift_routes,
        lease_routes,
        notification_routes,
        orphan_routes,
        journal_routes,
        state_routes,
        health_routes,
    ):
        app.include_router(module.router)
    failures.install(app)
    app.add_middleware(BodyLimit)
    return app
