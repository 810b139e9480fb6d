"""The application's seed as a function: found by its name, looked at, and called with the session that it wants."""

import asyncio
import inspect
import re
from collections.abc import Callable
from importlib import import_module
from typing import Final, Self

import attrs
from sqlalchemy import Engine, NullPool, orm
from sqlalchemy.ext.asyncio import AsyncSession

from pgauthkit.database.engine import create_async_engine
from pgauthkit.errors import ConfigError

__all__ = ["SeedFunction"]

_FORM: Final = re.compile(r"\w+(\.\w+)*:\w+")


@attrs.frozen(kw_only=True)
class SeedFunction:
    """A function that fills a database.

    Attributes:
        name: where it is, as `module:function`.
        call: the function.
        arguments: what it is given after the session.
    """

    name: str
    call: Callable[..., object]
    arguments: tuple[str, ...]

    @classmethod
    def find(cls, name: str, arguments: tuple[str, ...]) -> Self:
        """Import a function, and see that it takes a session and these arguments.

        Raises:
            ConfigError: the name is not of that form, cannot be imported, or does not take these arguments.

        Example:
            >>> SeedFunction.find("blog.seed:main", ("10",)).is_async  # doctest: +SKIP
            False
        """
        if not _FORM.fullmatch(name):
            raise ConfigError([f"seed: it looks like blog.seed:main, the module and the function in it, not {name}."])
        module, _, function = name.partition(":")
        try:
            call = getattr(import_module(module), function)
            inspect.signature(call).bind(None, *arguments)
        except (ImportError, AttributeError, NameError, SyntaxError) as error:
            raise ConfigError([f"seed: {name} cannot be imported: {error}."]) from error
        except TypeError as error:
            number = f"{len(arguments)} argument{'' if len(arguments) == 1 else 's'}"
            raise ConfigError([f"seed: {name} does not take a session and {number}: {error}."]) from error
        return cls(name=name, call=call, arguments=arguments)

    @property
    def module(self) -> str:
        """The module that it is in."""
        return self.name.partition(":")[0]

    @property
    def is_async(self) -> bool:
        """Whether it wants an `AsyncSession`: it is `async def`, or its first parameter says so."""
        first = next(iter(inspect.signature(self.call).parameters.values()))
        # As text, for an annotation may name what is imported for the type checker alone.
        return inspect.iscoroutinefunction(self.call) or "AsyncSession" in str(first.annotation)

    def run(self, engine: Engine) -> None:
        """Call it in one transaction, which is committed when it returns, and rolled back when it raises."""
        if self.is_async:
            asyncio.run(self._run_async(engine))
            return
        # A commit of its own ends a savepoint only.
        with (
            engine.begin() as connection,
            orm.Session(connection, join_transaction_mode="create_savepoint") as db,
        ):
            self.call(db, *self.arguments)
            db.commit()

    async def _run_async(self, engine: Engine) -> None:
        twin = create_async_engine(engine.url, poolclass=NullPool)
        async with (
            twin.begin() as connection,
            AsyncSession(connection, join_transaction_mode="create_savepoint", expire_on_commit=False) as db,
        ):
            done = self.call(db, *self.arguments)
            if inspect.isawaitable(done):
                await done
            await db.commit()
