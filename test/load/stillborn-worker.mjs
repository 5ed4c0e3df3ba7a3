// A worker that fails before it can be given anything.
throw new Error('this worker cannot start')
