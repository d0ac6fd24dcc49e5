"""Task packs that do real work: useful as they are, and made to be copied from. They see `moorline` and no more."""
