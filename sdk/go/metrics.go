package wasmill

// Count adds to a counter of the module's own, which the host shows under a name with its own in front. Names are
// [a-z0-9_]{1,64}, at most 64 of an instance. Outside a host it does nothing.
func Count(name string, by uint64) { count(valid(name), by) }

// Observe notes a value of which the distribution matters. For names see [Count].
func Observe(name string, value float64) { observe(valid(name), value) }
