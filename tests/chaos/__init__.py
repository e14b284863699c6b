"""Workers, housekeepers, brokers and databases that are killed, frozen and lied to, while real jobs run.

`make chaos` runs all of it at full size; a short part is among the tests. `python -m tests.chaos --help` says more.
"""
