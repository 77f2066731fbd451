package wasmill

// Level is how much a line of the log matters.
type Level uint8

const (
	// LevelTrace is chatter for whoever writes the module.
	LevelTrace Level = iota
	// LevelDebug is detail for whoever looks for a fault.
	LevelDebug
	// LevelInfo is news.
	LevelInfo
	// LevelWarn: somebody should know.
	LevelWarn
	// LevelError: somebody should act.
	LevelError
)

// Log writes a line, which `wasmill logs` shows with the pipeline and the release. The host bounds number and length of
// lines. Outside a host they go to standard error.
//
// What is printed to standard output and standard error is heard as well, line by line. For log/slog see package hostlog.
func Log(level Level, message string) { write(uint32(min(level, LevelError)), valid(message)) }
