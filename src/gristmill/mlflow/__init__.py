"""MLflow models: what their own files say of them, and the script that scores with them where there is none.

`script/` is that script. It is copied into a job as it is, and runs in the user's Python: MLflow is needed
there and not here.
"""
