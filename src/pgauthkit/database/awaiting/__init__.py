"""How tasks of asyncio wait: for a socket, and for the answer to what several of them ask at once."""
