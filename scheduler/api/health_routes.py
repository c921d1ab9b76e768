"""Routes: liveness, readiness, metrics. Without authentication, hence without secrets."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from scheduler.api.access import Context
from scheduler.drift.views import refresh_counts
from scheduler.readiness import checks, refresh_rollback_counts, refresh_rollout_counts, refresh_run_counts

router = APIRouter(tags=["health"])


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"description": "a dependency does not answer"}})
def readyz(context: Context) -> JSONResponse:
    """Database and Redis answer; else 503, with what is missing."""
    found = checks(context)
    return JSONResponse(found, status_code=200 if all(found.values()) else 503)


@router.get("/metrics", response_class=Response)
def metrics(context: Context) -> Response:
    """Metrics in Prometheus's text format."""
    refresh_run_counts(context)
    refresh_rollout_counts(context)
    refresh_rollback_counts(context)
    refresh_counts(context)
    return Response(generate_latest(context.metrics.registry), media_type=CONTENT_TYPE_LATEST)
