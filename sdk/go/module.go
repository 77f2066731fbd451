package wasmill

// A Module is what a program is run for. The host makes an instance of the program, calls Init once and Transform for
// each batch.
type Module interface {
	// Describe says who the module is and what it can be told. It may be called at any time, also before Init, and
	// always gives the same answer.
	Describe() Description

	// Init reads the settings and answers the plan: the routes that it will use and the columns that it reads. An error
	// refuses the release; its words are for the person who deploys the module.
	Init(config Config) (Plan, error)

	// Transform looks at a batch, rows of one topic-partition in offset order, and says in out what becomes of it. An
	// error concerns the whole batch, see [Retry] and [Fatal]; for a single row there is [Output.Reject].
	Transform(batch *Batch, out *Output) error
}

// A Description is what people see of a module.
type Description struct {
	// Name and Version are what people call the module by.
	Name, Version string
	// Summary says what it does, in a sentence.
	Summary string
	// Settings are those that Init understands.
	Settings []Setting
}

// A Setting is one that a pipeline may give under `module.config`.
type Setting struct {
	Name, Summary string
	// Required: every pipeline must give it; without it Init is not called, and the release is refused.
	Required bool
	// Default is what [Config] answers where a pipeline does not give it. Empty: there is none.
	Default string
}

// A Plan is what an instance will use.
type Plan struct {
	// Routes are the names that records are sent to, at least one. The first is where records go that name none;
	// [Sent.Route] takes an index into this list.
	Routes []string
	// Reads are the columns that the module reads. One that is not read is not copied in, and is empty. None named: all
	// of them.
	Reads Reads
}

// Reads names columns, to be joined: ReadKeys | ReadValues.
type Reads uint8

const (
	// ReadKeys is for [Row.Key].
	ReadKeys Reads = 1 << iota
	// ReadValues is for [Row.Value].
	ReadValues
	// ReadHeaders is for [Row.Headers] and [Row.Header]: the dear ones.
	ReadHeaders
	// ReadOffsets is for [Row.Offset].
	ReadOffsets
	// ReadTimestamps is for [Row.Timestamp] and [Row.Time].
	ReadTimestamps
	// ReadNothing is for modules that keep or drop rows without looking at them.
	ReadNothing

	// ReadAll is everything.
	ReadAll = ReadKeys | ReadValues | ReadHeaders | ReadOffsets | ReadTimestamps
)

// Run makes m the module of this program. It is to be called once, by main, and to be its last statement.
//
// In a host it returns at once, and the host calls m from then on. Outside it says what the program is, and ends it: a
// module cannot be run by itself.
func Run(m Module) {
	if m == nil {
		panic("wasmill: Run was called without a module")
	}
	run(m)
}
