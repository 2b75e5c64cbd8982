"""What a chat is: as JSON, as Arrow, as a table of dlt's."""
