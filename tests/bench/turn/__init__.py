"""`make bench-turn`: turns whose ends are known to the sample, and how soon they are found."""
