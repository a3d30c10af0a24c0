"""One module for each picture in examples/pictures."""
