"""The platforms that there are: one module for each, called as a NodeConfig calls it (see `platforms.making`)."""
