"""The PostPress inbox in your warehouse, nothing lost."""
