// A worker that is gone before it can be given anything.
process.exit(4)
