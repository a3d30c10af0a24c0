"""What outputs are told, and the threads in which they are told it."""
