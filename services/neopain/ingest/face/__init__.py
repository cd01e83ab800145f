"""Where the face is: finders behind one port, and what follows a face between two looks of a finder."""
