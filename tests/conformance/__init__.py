"""The shipped checks, which judge any implementation: `pytest --pyargs depthlimit.conformance`."""
