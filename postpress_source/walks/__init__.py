"""From pages to the spool: what to read, when to stop, what to remember, what is gone."""
