"""What the master keeps on disk: its file, the tables in it, and how it is told when something of it is gone."""
