"""Pictures as a table: folders, tables of paths, NPZ, IDX and arrays become a column of pixels, of one size and one number of channels."""
