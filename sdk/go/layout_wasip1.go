package wasmill

// How the component model lays out the types of wit/transform.wit in memory: lists are address and length, options and
// results a byte that is padded to four. uint32 stands for addresses, and keeps nothing alive.

import (
	"structs"
	"unsafe"
)

type list struct {
	_     structs.HostLayout
	at, n uint32
}

type optionList struct {
	_    structs.HostLayout
	some uint32
	list list
}

type rejectRecord struct {
	_      structs.HostLayout
	row    uint32
	reason list
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
	_ [16]byte = [unsafe.Sizeof(errorResult{})]byte{}
	_ [12]byte = [unsafe.Sizeof(rejectRecord{})]byte{}
	_ [32]byte = [unsafe.Sizeof(settingRecord{})]byte{}
	_ [32]byte = [unsafe.Sizeof(descriptionRecord{})]byte{}
	_ [16]byte = [unsafe.Sizeof(planResult{})]byte{}
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
