"""``EntryScript``: what a scoring script may ask about its surroundings; works outside a worker too.

Python 3.8+, standard library only: it travels to the worker in the same archive.
"""

import logging
import os
import tempfile


class EntryScript:
    """Names of folders and a logger; outside a worker they are harmless stand-ins, so that a script can be
    tested.

    Attributes
    ----------
    logger
        A logger whose lines go to the worker's own log.
    log_dir
        Folder of the worker's logs; outside a worker the temporary folder.
    agent_name
        Name of this worker process.
    output_dir
        The output folder, as in ``AZUREML_BI_OUTPUT_PATH``.
    working_dir
        The worker's private temporary folder.
    """

    def __init__(self) -> None:
        self.logger = logging.getLogger("EntryScript")
        self.log_dir = os.environ.get("GRISTMILL_LOG_DIR") or tempfile.gettempdir()
        self.agent_name = "process%03d" % int(os.environ.get("GRISTMILL_WORKER_INDEX", "0"))
        self.working_dir = os.environ.get("TMPDIR") or os.getcwd()
        self.output_dir = os.environ.get("AZUREML_BI_OUTPUT_PATH") or self.working_dir
