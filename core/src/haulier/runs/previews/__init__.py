"""What would be sent, and how much of it: plans without a network, and for people to look at."""
