"""The application: `uvicorn blog.application:create_application --factory`."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from fastapi.staticfiles import StaticFiles

from blog import address, handoff, invitations, posts, sessions, sign_in
from blog.dependencies import NotSignedInError
from blog.pages import HEADERS, STATIC, see_other
from blog.settings import Settings
from pgauthkit import AsyncAuthService, AuthConfig
from pgauthkit.database import create_async_engine

__all__ = ["create_application"]


def create_application(settings: Settings | None = None) -> FastAPI:
    """Put the parts together; nothing is connected to before it starts."""
    settings = settings or Settings.from_environment()

    @asynccontextmanager
    async def lifespan(application: FastAPI) -> AsyncIterator[None]:
        engine = create_async_engine(settings.database_url)
        application.state.engine, application.state.settings = engine, settings
        application.state.auth = AsyncAuthService(engine, AuthConfig(allow_sign_up=settings.is_open))
        yield
        await engine.dispose()

    application = FastAPI(lifespan=lifespan, openapi_url=None)
    application.add_exception_handler(NotSignedInError, _sign_in_first)
    application.middleware("http")(_refuse_other_sites)
    application.middleware("http")(_protect)
    application.mount("/static", StaticFiles(directory=STATIC))
    for part in (sign_in, handoff, sessions, address, invitations, posts):
        application.include_router(part.router)
    return application


async def _sign_in_first(request: Request, error: Exception) -> Response:
    path, query = (request.url.path, request.url.query) if request.method == "GET" else ("/", "")
    if isinstance(error, NotSignedInError) and error.can_refresh:
        return see_other(f"/refresh?following={quote(f'{path}?{query}' if query else path)}")
    # Without the query, in which a token may stand: this path is kept with the link.
    return see_other(f"/sign-in?following={quote(path)}")


async def _protect(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    response.headers.update(HEADERS)
    return response


async def _refuse_other_sites(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    # A second wall beside SameSite: every browser of today says where a request comes from.
    if request.method == "POST" and request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return PlainTextResponse("This came from another site.", status_code=403)
    return await call_next(request)
