"""The nets: three encoders and a fusion head, their export, and the engines that run them under Triton."""
