"""The HTTP face of the scheduler: `app` builds it; each other module holds the routes of one subject, or one concern.

Routes do nothing but unpack a request, call one service and pack its answer. They are plain functions, run by FastAPI
in its thread pool, because the database and Redis clients block.
"""
