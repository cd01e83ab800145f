"""What each stage trains, on which windows, and by which loss; the loop itself is ``training.loop``."""
