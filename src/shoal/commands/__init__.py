"""What the commands of the command line share, and the commands that are about recipes."""
