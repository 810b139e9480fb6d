"""How fast it is: the same work by pgauthkit, by the driver alone, and by other libraries, on one server and its rows.

`make bench` runs it all. This package itself imports nothing, as its parts run in other environments as well.
"""
