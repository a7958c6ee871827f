"""The compiled implementation of the protocol: numba, with products by SciPy's BLAS. Nothing of it is imported unless it is asked for."""
