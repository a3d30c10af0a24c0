"""What a service accepted and works on: asked for until its result is there."""
