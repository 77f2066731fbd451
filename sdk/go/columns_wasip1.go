//go:build !wasmill_records

package wasmill

// World `transform`: batches as columns.

import (
	"structs"
	"unsafe"

	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

type column struct {
	_                 structs.HostLayout
	data, ends, nulls list
}

type headerColumn struct {
	_             structs.HostLayout
	rowEnds       list
	names, values column
}

type batchRecord struct {
	_                        structs.HostLayout
	topic                    list
	partition, rows, attempt uint32
	offsets, timestamps      list
	keys, values             column
	headers                  headerColumn
}

type optionColumn struct {
	_      structs.HostLayout
	some   uint32
	column column
}

type optionEdited struct {
	_      structs.HostLayout
	some   uint32
	column column
	kept   list
}

type optionHeaders struct {
	_       structs.HostLayout
	some    uint32
	headers headerColumn
}

type outputRecord struct {
	_             structs.HostLayout
	rows, routes  list
	keys, values  optionEdited
	headers       optionHeaders
	timestamps    optionList
	targets       optionColumn
	ops, versions optionList
	rejects       list
}

// outputResult is result<output, error>, the side of the output.
type outputResult struct {
	_      structs.HostLayout
	failed uint32
	output outputRecord
}

var (
	_ [140]byte = [unsafe.Sizeof(batchRecord{})]byte{}
	_ [220]byte = [unsafe.Sizeof(outputRecord{})]byte{}
	_ [224]byte = [unsafe.Sizeof(outputResult{})]byte{}
)

var answer outputResult

//go:wasmexport wasmill:transform/columns@0.1.0#transform
func exportTransform(at uint32) uint32 {
	defer emptyArena()
	output, err := ready().Transform(lift(&view[batchRecord](at, 1)[0]))
	if err != nil {
		return failed(err)
	}
	lower(output, &answer.output)
	return pointer(&answer)
}

// lift makes slices of what the host wrote, where it lies.
func lift(r *batchRecord) *wire.Batch {
	topic(r.topic)
	b := &host.batch
	b.Partition, b.Rows, b.Attempt = r.partition, r.rows, r.attempt
	b.Offsets = view[uint64](r.offsets.at, r.offsets.n)
	b.Timestamps = view[int64](r.timestamps.at, r.timestamps.n)
	b.Keys, b.Values = r.keys.wire(), r.values.wire()
	b.Headers = wire.Headers{
		RowEnds: view[uint32](r.headers.rowEnds.at, r.headers.rowEnds.n),
		Names:   r.headers.names.wire(), Values: r.headers.values.wire(),
	}
	return b
}

func lower(o *wire.Output, to *outputRecord) {
	*to = outputRecord{
		rows: listOf(o.Rows), routes: listOf(o.Routes), rejects: rejectsOf(o.Rejects),
		keys: editedOf(o.Keys), values: editedOf(o.Values),
		timestamps: optionOf(o.HasTimestamps, o.Timestamps),
		ops:        optionOf(o.HasOps, o.Ops),
		versions:   optionOf(o.HasVersions, o.Versions),
	}
	if o.Headers != nil {
		to.headers = optionHeaders{some: 1, headers: headerColumn{
			rowEnds: listOf(o.Headers.RowEnds), names: columnOf(&o.Headers.Names), values: columnOf(&o.Headers.Values),
		}}
	}
	if o.Targets != nil {
		to.targets = optionColumn{some: 1, column: columnOf(o.Targets)}
	}
}

func (c *column) wire() wire.Column {
	return wire.Column{
		Data:  view[byte](c.data.at, c.data.n),
		Ends:  view[uint32](c.ends.at, c.ends.n),
		Nulls: view[uint32](c.nulls.at, c.nulls.n),
	}
}

func columnOf(c *wire.Column) column {
	return column{data: listOf(c.Data), ends: listOf(c.Ends), nulls: listOf(c.Nulls)}
}

func editedOf(e *wire.Edited) (o optionEdited) {
	if e != nil {
		o.some, o.column, o.kept = 1, columnOf(&e.Column), listOf(e.Kept)
	}
	return o
}

func optionOf[T any](some bool, s []T) (o optionList) {
	if some {
		o.some, o.list = 1, listOf(s)
	}
	return o
}
