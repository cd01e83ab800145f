"""What the fusion has to beat: one modality alone, early fusion, late fusion, and ten features made by hand."""
