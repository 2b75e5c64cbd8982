"""From HTTP to a page: one GET within bounds, and what its answer means."""
