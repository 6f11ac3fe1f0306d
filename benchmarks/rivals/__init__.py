"""hashslide beside other libraries and beside the published system."""
