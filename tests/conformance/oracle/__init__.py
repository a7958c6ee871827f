"""The oracle: an implementation of somebody else's on trial."""
