"""What is between header and footer: one module for each view, each a pure function that gives lines."""
