// Package wire holds the data of the contract (wit/transform.wit) in Go's slices: what crosses to and from the host,
// whether that is the real one (the exports of package wasmill) or a test (package wasmilltest).
package wire

import "slices"

// A Column is byte strings, one per row: value i is Data[Ends[i-1]:Ends[i]], from 0 for the first.
type Column struct {
	Data []byte
	Ends []uint32
	// Nulls lists, ascending, the rows that are null rather than empty.
	Nulls []uint32

	// next is the first of Nulls that is not below the row asked for last: rows are walked upwards, so that the
	// question for nulls costs nothing.
	next int
}

// At answers value i: nil for null and in a column that is not there, else a slice that is not nil and ends at its
// capacity.
func (c *Column) At(i int) []byte {
	if uint(i) >= uint(len(c.Ends)) || len(c.Nulls) != 0 && c.null(uint32(i)) {
		return nil
	}
	begin, end := uint32(0), c.Ends[i]
	if i > 0 {
		begin = c.Ends[i-1]
	}
	if c.Data == nil {
		return empty
	}
	return c.Data[begin:end:end]
}

// empty is not nil.
var empty = []byte{}

// Null says whether value i is null.
func (c *Column) Null(i int) bool { return len(c.Nulls) != 0 && c.null(uint32(i)) }

func (c *Column) null(i uint32) bool {
	if c.next > 0 && c.Nulls[c.next-1] >= i {
		c.next, _ = slices.BinarySearch(c.Nulls, i)
	}
	for c.next < len(c.Nulls) && c.Nulls[c.next] < i {
		c.next++
	}
	return c.next < len(c.Nulls) && c.Nulls[c.next] == i
}

// Push adds a value; nil is null.
func (c *Column) Push(value []byte) {
	if value == nil {
		c.Nulls = append(c.Nulls, uint32(len(c.Ends)))
	}
	c.Data = append(c.Data, value...)
	c.Ends = append(c.Ends, uint32(len(c.Data)))
}

// Truncate forgets the values from n on.
func (c *Column) Truncate(n int) {
	if len(c.Ends) <= n {
		return
	}
	c.Ends = c.Ends[:n]
	end := uint32(0)
	if n > 0 {
		end = c.Ends[n-1]
	}
	c.Data = c.Data[:end]
	c.Nulls = below(c.Nulls, n)
	c.next = 0
}

// Reset empties the column and keeps its memory.
func (c *Column) Reset() {
	c.Data, c.Ends, c.Nulls, c.next = c.Data[:0], c.Ends[:0], c.Nulls[:0], 0
}

// below cuts an ascending list before n.
func below(list []uint32, n int) []uint32 {
	for len(list) > 0 && int(list[len(list)-1]) >= n {
		list = list[:len(list)-1]
	}
	return list
}

// Headers are those of all rows: row i owns RowEnds[i-1] to RowEnds[i] of both columns.
type Headers struct {
	RowEnds       []uint32
	Names, Values Column
}

// Of answers the headers of row i, as indexes into both columns.
func (h *Headers) Of(i int) (begin, end int) {
	if uint(i) >= uint(len(h.RowEnds)) {
		return 0, 0
	}
	if i > 0 {
		begin = int(h.RowEnds[i-1])
	}
	return begin, int(h.RowEnds[i])
}
