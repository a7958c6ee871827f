"""The oracle: an implementation is judged, and what the run folder says of it is summed up, compared and kept."""
