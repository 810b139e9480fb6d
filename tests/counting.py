"""What tests that count calls, or switches of greenlets, keep out of the count."""

import gc
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["uncollected"]


@contextmanager
def uncollected() -> Generator[None]:
    """Collect garbage before what is counted, and not in it: finalizers of what other tests left would count."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
