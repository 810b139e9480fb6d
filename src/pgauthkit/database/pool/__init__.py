"""Pools of connections, and how a call of ours takes one of them."""
