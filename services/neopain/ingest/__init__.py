"""What comes in: HL7 v2, device streams, files; owner of who lies where."""
