"""What the command line does, as typed functions: the command only parses, calls and prints."""

from pgauthkit.ops.moved import find_by_noun

find_by_noun()
