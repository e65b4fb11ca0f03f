"""The network: the only home of torch modules."""
