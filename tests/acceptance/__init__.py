"""The command line as a user runs it: into a fresh folder, judged by what it wrote and the code it ended with."""
