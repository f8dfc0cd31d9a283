"""What people are shown while a job runs: how far it is and how fast, in words, in lines and as a bar.

Every door that follows a job shows it with these; what a door says besides is its own. Nothing here must know
who asked, or how a job is run. Nothing is imported here.
"""
