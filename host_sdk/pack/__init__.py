"""Model to bytes for one kind of memory; each packer has an unpacker that its tests use."""
