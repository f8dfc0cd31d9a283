"""The office: every verb once; the command line, and later the server, only translate to it."""
