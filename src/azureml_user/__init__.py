"""The shim behind ``from azureml_user.parallel_run import EntryScript`` (contract, section 1.4)."""
