"""The door for HL7 v2: an MLLP listener that acknowledges what is on disk, and nothing else."""
