package wasmill

import "unsafe"

// The arena takes what the host copies in before it calls an export. It is emptied when the call ends and keeps its
// memory, so that batch after batch costs no allocation.
//
// Three rules of two worlds meet here. While the host calls cabi_realloc, a component must not call out: it would trap
// with "cannot leave component instance". Go's runtime calls out for the time whenever it starts a collection or switches
// goroutines, which any allocation and the entry of almost any function may lead to. And Go alone grows the memory: its
// runtime ignores what memory.grow answers, so that pages taken behind its back would be given away twice. So the usual
// path here neither allocates nor can be interrupted, and the other one holds the scheduler and the clock.
var arena struct {
	// at and left are of the chunk in use.
	at, left uint32
	current  int
	chunks   []chunk
}

// A chunk is a piece of Go's heap without pointers in it; what it was made of keeps it alive.
type chunk struct {
	memory []uint64
	// at is where it begins. used is set when another chunk comes into use.
	at, size, used uint32
}

// A batch has 1 MiB of keys and values by default, and its columns of numbers add 40 KiB. Pages of it that are never
// written to take address space only.
const firstChunk = 1<<20 + 1<<18

func init() { addChunk(firstChunk) }

// realloc is what the host calls for memory. Its name says that adapters are not to call it, as they would the name
// cabi_realloc: they would do so before Go's runtime is up.
//
//go:wasmexport cabi_export_realloc
//go:nosplit
func realloc(old, oldSize, align, size uint32) uint32 {
	// Nothing in the contract is aligned to more than eight bytes.
	size = (size + 7) &^ 7
	if old == 0 && size <= arena.left {
		p := arena.at
		arena.at += size
		arena.left -= size
		return p
	}
	// While this is pinned, the runtime neither starts a collection, nor helps one, nor switches goroutines, and with
	// the clock held an allocation calls out for nothing else.
	procPin()
	hold(1)
	p := reallocElsewhere(old, oldSize, size)
	hold(0)
	procUnpin()
	return p
}

//go:noinline
func reallocElsewhere(old, oldSize, size uint32) uint32 {
	if size > arena.left {
		useChunk(size)
	}
	p := arena.at
	arena.at += size
	arena.left -= size
	if old != 0 {
		copy(view[byte](p, size), view[byte](old, min(oldSize, size)))
	}
	return p
}

// useChunk brings a chunk into use that has so many bytes left.
func useChunk(size uint32) {
	arena.chunks[arena.current].used = arena.chunks[arena.current].size - arena.left
	largest := uint32(0)
	for i := range arena.chunks {
		c := &arena.chunks[i]
		if c.size-c.used >= size {
			arena.current, arena.at, arena.left = i, c.at+c.used, c.size-c.used
			return
		}
		largest = max(largest, c.size)
	}
	// Doubled, so that there are few chunks, whatever comes; but not beyond what memory limits make dear.
	addChunk(max(size, min(2*largest, 16<<20)))
}

func addChunk(size uint32) {
	memory := make([]uint64, (size+7)/8)
	at := address(unsafe.Pointer(unsafe.SliceData(memory)))
	arena.chunks = append(arena.chunks, chunk{memory, at, uint32(len(memory)) * 8, 0})
	arena.current, arena.at, arena.left = len(arena.chunks)-1, at, uint32(len(memory))*8
}

// empty gives back everything. The largest chunk comes into use first: a batch like the last ones fits into it.
func emptyArena() {
	largest := 0
	for i := range arena.chunks {
		arena.chunks[i].used = 0
		if arena.chunks[i].size > arena.chunks[largest].size {
			largest = i
		}
	}
	c := &arena.chunks[largest]
	arena.current, arena.at, arena.left = largest, c.at, c.size
}

// hold makes the adapter (host/src/engine/adapter) answer for clocks and streams by itself, until hold(0).
//
//go:wasmimport wasi_snapshot_preview1 wasmill_hold
func hold(on uint32)

// procPin keeps this goroutine where it is. The runtime promises to leave it as it is: go.dev/issue/67401.
//
//go:linkname procPin runtime.procPin
func procPin() int

//go:linkname procUnpin runtime.procUnpin
func procUnpin()

// address is where p points to, in the 32 bits of the contract; Go's own pointers have 64 here.
func address(p unsafe.Pointer) uint32 { return uint32(uintptr(p)) }

// view is what lies at an address: of an arena, which keeps it alive.
func view[T any](at, n uint32) []T {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Add(unsafe.Pointer(nil), at)), n)
}
