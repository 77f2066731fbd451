package wire

// Bits of the columns that a module reads, as the contract numbers them.
const (
	ReadKeys = 1 << iota
	ReadValues
	ReadHeaders
	ReadOffsets
	ReadTimestamps
)

// A Batch is rows of one topic-partition, in offset order. Columns that were not asked for are empty.
type Batch struct {
	Topic                    string
	Partition, Rows, Attempt uint32
	Offsets                  []uint64
	Timestamps               []int64
	Keys, Values             Column
	Headers                  Headers
}

// An Edited column is that of the output records; those in Kept have their row's own value, and no data.
type Edited struct {
	Column
	Kept []uint32
}

// A Reject is a row for the dead letters.
type Reject struct {
	Row    uint32
	Reason string
}

// An Output is what becomes of a batch. Columns that are nil stay the rows' own.
type Output struct {
	Rows          []uint32
	Routes        []uint16
	Keys, Values  *Edited
	Headers       *Headers
	Timestamps    []int64
	Targets       *Column
	Ops           []uint8
	Versions      []uint64
	Rejects       []Reject
	HasTimestamps bool
	HasOps        bool
	HasVersions   bool
}

// A Description says who a module is.
type Description struct {
	Name, Version, Summary string
	Settings               []Setting
}

// A Setting is one that Init understands.
type Setting struct {
	Name, Summary string
	Default       *string
	Required      bool
}

// A Plan is what a started instance asks for.
type Plan struct {
	Routes []string
	Reads  uint8
}

// An Instance is a module as the host sees it.
type Instance interface {
	Describe() Description
	// Init answers the words of a refusal as an error.
	Init(settings [][2]string) (Plan, error)
	// Transform answers an output that is the instance's own until the next call.
	Transform(batch *Batch) (*Output, error)
}

// NewInstance makes an instance of a wasmill.Module. Package wasmill sets it.
var NewInstance func(module any) Instance
