"""What is registered under a name: models, environments and data with versions; datastores and computes."""
