"""The home: what is kept of jobs and for how long, what takes the space, and what a crash has left."""
