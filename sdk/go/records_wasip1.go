//go:build wasmill_records

package wasmill

// World `transform-records`: batches as plain records. It is dearer and does nothing that the columns do not: it is here
// for hosts that know only this world. A module is the same in both; what crosses is made into columns and back.

import (
	"structs"
	"unsafe"

	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

type headerRecord struct {
	_     structs.HostLayout
	name  list
	value optionList
}

type inputRecord struct {
	_          structs.HostLayout
	offset     uint64
	timestamp  int64
	key, value optionList
	headers    list
}

// field is kept, null or bytes.
type field struct {
	_     structs.HostLayout
	kind  uint32
	bytes list
}

type optionNumber struct {
	_      structs.HostLayout
	some   uint64
	number uint64
}

type outRecord struct {
	_          structs.HostLayout
	row, route uint32
	key, value field
	headers    optionList
	_          uint32
	timestamp  optionNumber
	target     optionList
	// op is an option of an enum: a byte for each.
	someOp, op uint8
	version    optionNumber
}

// recordsResult is result<output, error>, the side of the output.
type recordsResult struct {
	_       structs.HostLayout
	failed  uint32
	records list
	rejects list
}

var (
	_ [20]byte = [unsafe.Sizeof(headerRecord{})]byte{}
	_ [48]byte = [unsafe.Sizeof(inputRecord{})]byte{}
	_ [96]byte = [unsafe.Sizeof(outRecord{})]byte{}
	_ [20]byte = [unsafe.Sizeof(recordsResult{})]byte{}
)

var answer struct {
	records []outRecord
	headers []headerRecord
	result  recordsResult
}

//go:wasmexport wasmill:transform/records@0.1.0#transform
func exportTransform(topicAt, topicLen, partition, attempt, recordsAt, recordsLen uint32) uint32 {
	defer emptyArena()
	i := ready()
	topic(list{at: topicAt, n: topicLen})
	host.batch.Partition, host.batch.Attempt, host.batch.Rows = partition, attempt, recordsLen
	pack(&host.batch, view[inputRecord](recordsAt, recordsLen), i.reads)
	output, err := i.Transform(&host.batch)
	if err != nil {
		return failed(err)
	}
	unpack(output)
	answer.result = recordsResult{records: listOf(answer.records), rejects: rejectsOf(output.Rejects)}
	return pointer(&answer.result)
}

// pack makes columns of records: those that the plan reads, as a host of columns would.
func pack(b *wire.Batch, records []inputRecord, reads uint8) {
	b.Offsets, b.Timestamps, b.Headers.RowEnds = b.Offsets[:0], b.Timestamps[:0], b.Headers.RowEnds[:0]
	for _, column := range []*wire.Column{&b.Keys, &b.Values, &b.Headers.Names, &b.Headers.Values} {
		column.Reset()
	}
	for i := range records {
		r := &records[i]
		if reads&wire.ReadKeys != 0 {
			b.Keys.Push(r.key.bytes())
		}
		if reads&wire.ReadValues != 0 {
			b.Values.Push(r.value.bytes())
		}
		if reads&wire.ReadOffsets != 0 {
			b.Offsets = append(b.Offsets, r.offset)
		}
		if reads&wire.ReadTimestamps != 0 {
			b.Timestamps = append(b.Timestamps, r.timestamp)
		}
		if reads&wire.ReadHeaders != 0 {
			for _, header := range view[headerRecord](r.headers.at, r.headers.n) {
				b.Headers.Names.Push(optionList{some: 1, list: header.name}.bytes())
				b.Headers.Values.Push(header.value.bytes())
			}
			b.Headers.RowEnds = append(b.Headers.RowEnds, uint32(len(b.Headers.Names.Ends)))
		}
	}
}

// bytes are nil for none, and only then.
func (o optionList) bytes() []byte {
	if o.some&0xff == 0 {
		return nil
	}
	if o.list.n == 0 {
		return []byte{}
	}
	return view[byte](o.list.at, o.list.n)
}

func someBytes(b []byte) optionList {
	if b == nil {
		return optionList{}
	}
	return optionList{some: 1, list: listOf(b)}
}

// unpack makes records of columns.
func unpack(o *wire.Output) {
	answer.records, answer.headers = answer.records[:0], answer.headers[:0]
	if h := o.Headers; h != nil {
		for i := range h.Names.Ends {
			answer.headers = append(answer.headers, headerRecord{
				name: listOf(h.Names.At(i)), value: someBytes(h.Values.At(i)),
			})
		}
	}
	keys, values := walk{edited: o.Keys}, walk{edited: o.Values}
	for i, row := range o.Rows {
		out := outRecord{row: row, key: keys.field(i), value: values.field(i)}
		if o.Routes != nil {
			out.route = uint32(o.Routes[i])
		}
		if o.Headers != nil {
			begin, end := o.Headers.Of(i)
			out.headers = optionList{some: 1, list: listOf(answer.headers[begin:end])}
		}
		if o.HasTimestamps {
			out.timestamp = optionNumber{some: 1, number: uint64(o.Timestamps[i])}
		}
		if o.Targets != nil {
			out.target = someBytes(o.Targets.At(i))
		}
		if o.HasOps {
			out.someOp, out.op = 1, o.Ops[i]
		}
		if o.HasVersions {
			out.version = optionNumber{some: 1, number: o.Versions[i]}
		}
		answer.records = append(answer.records, out)
	}
}

// walk goes over an edited column in step with the records.
type walk struct {
	edited *wire.Edited
	kept   int
}

func (w *walk) field(i int) field {
	if w.edited == nil {
		return field{}
	}
	if w.kept < len(w.edited.Kept) && int(w.edited.Kept[w.kept]) == i {
		w.kept++
		return field{}
	}
	value := w.edited.At(i)
	if value == nil {
		return field{kind: 1}
	}
	return field{kind: 2, bytes: listOf(value)}
}
