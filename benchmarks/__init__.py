"""Measurements, side by side in one run; `python -m benchmarks` makes them and the page. Everything runs on one thread."""

import os

# Read when the libraries are loaded, so before anything is imported; processes started from here inherit them.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC"), "1")
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
os.environ["EQX_ON_ERROR"] = "nan"  # checks of equinox call back into Python otherwise
