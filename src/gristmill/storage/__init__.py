"""Files: made to appear all at once, measured, and known by the file system they lie on."""
