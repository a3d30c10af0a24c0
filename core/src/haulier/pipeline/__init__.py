"""From blocks of records to requests. Pure: no socket, file, clock, environment or randomness in this room."""
