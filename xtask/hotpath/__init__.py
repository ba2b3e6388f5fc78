"""`xtask hotpath`: what the built kernel's hot paths reach, how deep their stacks go, how long they take."""
