"""Pages and figures made from records, without running anything."""
