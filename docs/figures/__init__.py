"""The figures of the pages of the method, drawn by shoal's own code when the site is built: one module for each page."""
