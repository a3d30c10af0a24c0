"""Planning in a process of its own: what is planned there comes back as frames, bodies through shared memory."""
