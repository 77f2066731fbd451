package wasmill

import (
	"iter"
	"time"

	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

// A Batch is rows of one topic-partition, in offset order, read where they lie: nothing is copied or allocated per row.
type Batch struct{ raw *wire.Batch }

// Topic is where the rows come from.
func (b *Batch) Topic() string { return b.raw.Topic }

// Partition is where the rows come from.
func (b *Batch) Partition() uint32 { return b.raw.Partition }

// Attempt is 0 at the first try, then one more for each retry of this batch.
func (b *Batch) Attempt() uint32 { return b.raw.Attempt }

// Len is the number of rows: 0 to 10,000. There are none in the call that tries a module out.
func (b *Batch) Len() int { return int(b.raw.Rows) }

// Row answers row i, from 0.
func (b *Batch) Row(i int) Row {
	if uint(i) >= uint(b.raw.Rows) {
		panic("wasmill: there is no such row in the batch")
	}
	return Row{b.raw, uint32(i)}
}

// Rows are all rows, in offset order.
func (b *Batch) Rows() iter.Seq[Row] {
	return func(yield func(Row) bool) {
		for i := range b.raw.Rows {
			if !yield(Row{b.raw, i}) {
				return
			}
		}
	}
}

// A Row is one record. What it hands out is valid until the call ends: the next batch overwrites it. A column that the
// [Plan] does not read is empty: key and value are then nil, offset and timestamp 0, and there are no headers.
type Row struct {
	batch *wire.Batch
	index uint32
}

// Index is the row's number in the batch, from 0.
func (r Row) Index() int { return int(r.index) }

// Key is nil for Kafka's null, which is not the same as empty.
func (r Row) Key() []byte { return r.batch.Keys.At(int(r.index)) }

// Value is nil for Kafka's null, a tombstone, which is not the same as empty.
func (r Row) Value() []byte { return r.batch.Values.At(int(r.index)) }

// Offset is the record's offset in its partition.
func (r Row) Offset() uint64 { return at(r.batch.Offsets, r.index) }

// Timestamp is in milliseconds since the Unix epoch.
func (r Row) Timestamp() int64 { return at(r.batch.Timestamps, r.index) }

// Time is the timestamp as a time, in UTC.
func (r Row) Time() time.Time { return time.UnixMilli(r.Timestamp()).UTC() }

func at[T any](column []T, i uint32) (value T) {
	if int(i) < len(column) {
		value = column[i]
	}
	return value
}

// A Header is one of a record. Names are UTF-8 by convention, not by Kafka's protocol; one may come more than once.
type Header struct {
	Name []byte
	// Value is nil for Kafka's null.
	Value []byte
}

// Headers are the record's headers, in order.
func (r Row) Headers() iter.Seq[Header] {
	return func(yield func(Header) bool) {
		headers := &r.batch.Headers
		begin, end := headers.Of(int(r.index))
		for i := begin; i < end; i++ {
			if !yield(Header{headers.Names.At(i), headers.Values.At(i)}) {
				return
			}
		}
	}
}

// Header answers the value of the last header of that name, as Kafka's own clients look it up, and whether there is one.
func (r Row) Header(name string) (value []byte, there bool) {
	headers := &r.batch.Headers
	begin, end := headers.Of(int(r.index))
	for i := end - 1; i >= begin; i-- {
		if string(headers.Names.At(i)) == name {
			return headers.Values.At(i), true
		}
	}
	return nil, false
}
