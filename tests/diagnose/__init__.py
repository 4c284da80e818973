"""The diagnosis, on cases built to have the disease and on healthy ones."""
