"""Adapters: implementations of the protocol written outside of depthlimit, from this checkout as `adapters.NAME:factory`."""
