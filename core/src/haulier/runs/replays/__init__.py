"""Dead letters carried once more, mended or as they were."""
