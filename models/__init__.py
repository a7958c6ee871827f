"""Specs, networks, flows and measurements: every tensor, and no formula of the paper's results."""
