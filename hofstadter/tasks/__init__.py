"""Jobs that users ask for: from a model to a labelled dataset."""
