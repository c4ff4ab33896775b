"""Who is asking. What they may do will be decided here too, and nowhere else."""
