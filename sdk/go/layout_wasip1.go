package wasmill

// How the component model lays out the types of wit/transform.wit in memory: lists are address and length, options and
// results a byte that is padded to four. uint32 stands for addresses, and keeps nothing alive.

import (
	"structs"
	"unsafe"

	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

type list struct {
	_     structs.HostLayout
	at, n uint32
}

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

type optionList struct {
	_    structs.HostLayout
	some uint32
	list list
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

type rejectRecord struct {
	_      structs.HostLayout
	row    uint32
	reason list
}

// outputResult is result<output, error>, the side of the output.
type outputResult struct {
	_      structs.HostLayout
	failed uint32
	output outputRecord
}

// errorResult is result<output, error>, the side of the error.
type errorResult struct {
	_       structs.HostLayout
	failed  uint32
	fatal   uint32
	message list
}

type settingRecord struct {
	_             structs.HostLayout
	name, summary list
	unset         optionList
	required      uint32
}

type descriptionRecord struct {
	_                      structs.HostLayout
	name, version, summary list
	settings               list
}

type planResult struct {
	_      structs.HostLayout
	failed uint32
	// routes is the message where it failed.
	routes list
	reads  uint32
}

// The sizes that the contract gives; an array of another length does not compile.
var (
	_ [140]byte = [unsafe.Sizeof(batchRecord{})]byte{}
	_ [220]byte = [unsafe.Sizeof(outputRecord{})]byte{}
	_ [224]byte = [unsafe.Sizeof(outputResult{})]byte{}
	_ [16]byte  = [unsafe.Sizeof(errorResult{})]byte{}
	_ [12]byte  = [unsafe.Sizeof(rejectRecord{})]byte{}
	_ [32]byte  = [unsafe.Sizeof(settingRecord{})]byte{}
	_ [32]byte  = [unsafe.Sizeof(descriptionRecord{})]byte{}
	_ [16]byte  = [unsafe.Sizeof(planResult{})]byte{}
)

func listOf[T any](s []T) list {
	return list{at: address(unsafe.Pointer(unsafe.SliceData(s))), n: uint32(len(s))}
}

func listOfText(s string) list {
	return list{at: address(unsafe.Pointer(unsafe.StringData(s))), n: uint32(len(s))}
}

func pointer[T any](p *T) uint32 { return address(unsafe.Pointer(p)) }

// text is what the host wrote, copied: texts of Go do not change.
func (l list) text() string { return string(view[byte](l.at, l.n)) }

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
