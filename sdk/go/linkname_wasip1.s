// Lets this package declare functions without a body: those that //go:linkname finds elsewhere.
