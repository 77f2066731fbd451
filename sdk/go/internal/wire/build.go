package wire

import "slices"

// EditedBuilder builds an [Edited] column, and keeps its memory from batch to batch. The column comes to be once a
// record has a value of its own.
type EditedBuilder struct {
	column Edited
}

// Set gives a record a value; nil is null. Records come in order; the last one may be set again.
func (b *EditedBuilder) Set(record int, value []byte) {
	c := &b.column
	// The usual case, of which the cost counts: every record is set once, in order.
	if record != len(c.Ends) {
		b.open(record)
	}
	if value == nil {
		c.Nulls = append(c.Nulls, uint32(record))
	}
	c.Data = append(c.Data, value...)
	c.Ends = append(c.Ends, uint32(len(c.Data)))
}

// SetString is Set with a text, which is not null.
func (b *EditedBuilder) SetString(record int, value string) {
	b.open(record)
	b.column.pushString(value)
}

// Append lets write add the value of a record behind dst. Where it fails the record keeps its row's own value.
func (b *EditedBuilder) Append(record int, write func(dst []byte) ([]byte, error)) error {
	b.open(record)
	c := &b.column
	begin := len(c.Data)
	data, err := write(c.Data)
	if err != nil {
		// What it wrote may lie in a new array: of no interest.
		c.Data = c.Data[:begin]
		c.Kept = append(c.Kept, uint32(record))
	} else {
		if len(data) < begin {
			panic("wasmill: the function that appends a value cut off what was there before")
		}
		c.Data = data
	}
	c.Ends = append(c.Ends, uint32(len(c.Data)))
	return err
}

// open makes room for a record: those before it that were not set keep their own, and what it had is forgotten.
func (b *EditedBuilder) open(record int) {
	b.Truncate(record)
	b.keepUpTo(record)
}

func (b *EditedBuilder) keepUpTo(records int) {
	c := &b.column
	end := uint32(len(c.Data))
	for record := len(c.Ends); record < records; record++ {
		c.Kept = append(c.Kept, uint32(record))
		c.Ends = append(c.Ends, end)
	}
}

// Truncate forgets the records from n on.
func (b *EditedBuilder) Truncate(n int) {
	b.column.Truncate(n)
	b.column.Kept = below(b.column.Kept, n)
}

// Reset empties the column and keeps its memory.
func (b *EditedBuilder) Reset() {
	b.column.Reset()
	b.column.Kept = b.column.Kept[:0]
}

// Finish answers the column of so many records; nil where no record has a value of its own.
func (b *EditedBuilder) Finish(records int) *Edited {
	if len(b.column.Kept) == len(b.column.Ends) {
		return nil
	}
	b.keepUpTo(records)
	return &b.column
}

// FinishNulls is Finish for a column in which nothing is kept: records that were not set are null.
func (b *EditedBuilder) FinishNulls(records int) *Column {
	column := b.Finish(records)
	if column == nil {
		return nil
	}
	column.Nulls = append(column.Nulls, column.Kept...)
	slices.Sort(column.Nulls)
	return &column.Column
}

// Sparse builds a column of plain values. It comes to be once a record has one.
type Sparse[T any] struct {
	values []T
	set    []bool
	any    bool
}

// Set gives a record a value. Records come in order; the last one may be set again.
func (s *Sparse[T]) Set(record int, value T) {
	s.resize(record)
	s.values, s.set, s.any = append(s.values, value), append(s.set, true), true
}

func (s *Sparse[T]) resize(n int) {
	s.Truncate(n)
	if missing := n - len(s.values); missing > 0 {
		s.values = append(s.values, make([]T, missing)...)
		s.set = append(s.set, make([]bool, missing)...)
	}
}

// Truncate forgets the records from n on.
func (s *Sparse[T]) Truncate(n int) {
	if len(s.values) > n {
		s.values, s.set = s.values[:n], s.set[:n]
	}
}

// Reset empties the column and keeps its memory.
func (s *Sparse[T]) Reset() { s.values, s.set, s.any = s.values[:0], s.set[:0], false }

// Finish answers the values of so many records, those without one as unset says, and whether there is such a column.
func (s *Sparse[T]) Finish(records int, unset func(record int) T) ([]T, bool) {
	if !s.any || !slices.Contains(s.set, true) {
		return nil, false
	}
	s.resize(records)
	for record, set := range s.set {
		if !set {
			s.values[record] = unset(record)
		}
	}
	return s.values, true
}

// HeadersBuilder builds the headers of all records: the contract knows no kept ones, so the first record that sets any
// copies those of the records before it.
type HeadersBuilder struct {
	headers Headers
	touched bool
	// Unread: a row's own headers were wanted, and the plan does not read them.
	Unread bool
}

// Add adds a header to the last record, which has its row's own unless they were taken away.
func (b *HeadersBuilder) Add(batch *Batch, rows []uint32, name string, value []byte) {
	b.touched = true
	b.fill(len(rows), batch, rows)
	h := &b.headers
	h.Names.pushString(name)
	h.Values.Push(value)
	h.RowEnds[len(h.RowEnds)-1]++
}

func (c *Column) pushString(value string) {
	c.Data = append(c.Data, value...)
	c.Ends = append(c.Ends, uint32(len(c.Data)))
}

// Clear takes all headers of the last record away.
func (b *HeadersBuilder) Clear(batch *Batch, rows []uint32) {
	b.touched = true
	b.Truncate(len(rows) - 1)
	b.fill(len(rows)-1, batch, rows)
	b.headers.RowEnds = append(b.headers.RowEnds, uint32(len(b.headers.Names.Ends)))
}

// fill gives the first n records that have no headers yet those of their rows.
func (b *HeadersBuilder) fill(n int, batch *Batch, rows []uint32) {
	h, own := &b.headers, &batch.Headers
	for record := len(h.RowEnds); record < n; record++ {
		b.Unread = b.Unread || len(own.RowEnds) == 0
		begin, end := own.Of(int(rows[record]))
		for header := begin; header < end; header++ {
			h.Names.Push(own.Names.At(header))
			h.Values.Push(own.Values.At(header))
		}
		h.RowEnds = append(h.RowEnds, uint32(len(h.Names.Ends)))
	}
}

// Truncate forgets the records from n on.
func (b *HeadersBuilder) Truncate(n int) {
	h := &b.headers
	if len(h.RowEnds) <= n {
		return
	}
	h.RowEnds = h.RowEnds[:n]
	left := 0
	if n > 0 {
		left = int(h.RowEnds[n-1])
	}
	h.Names.Truncate(left)
	h.Values.Truncate(left)
}

// Reset empties the headers and keeps their memory.
func (b *HeadersBuilder) Reset() {
	b.touched, b.Unread = false, false
	b.headers.RowEnds = b.headers.RowEnds[:0]
	b.headers.Names.Reset()
	b.headers.Values.Reset()
}

// Finish answers the headers of all records; nil where no record has set any.
func (b *HeadersBuilder) Finish(batch *Batch, rows []uint32) *Headers {
	if !b.touched {
		return nil
	}
	b.fill(len(rows), batch, rows)
	return &b.headers
}
