// Package wasmill lets a Go program be a module of Wasmill: one function over a batch of Kafka records, and a
// description of itself.
//
//	// filter keeps the records whose value contains a word.
//	type filter struct{ word []byte }
//
//	func main() { wasmill.Run(&filter{}) }
//
//	func (f *filter) Describe() wasmill.Description {
//		return wasmill.Description{
//			Name: "filter", Version: "1.0.0",
//			Summary:  "Keeps the records whose value contains a word.",
//			Settings: []wasmill.Setting{{Name: "word", Summary: "the word to look for", Required: true}},
//		}
//	}
//
//	func (f *filter) Init(config wasmill.Config) (wasmill.Plan, error) {
//		f.word = []byte(config.Get("word"))
//		return wasmill.Plan{Routes: []string{"kept"}, Reads: wasmill.ReadValues}, nil
//	}
//
//	func (f *filter) Transform(batch *wasmill.Batch, out *wasmill.Output) error {
//		for row := range batch.Rows() {
//			if bytes.Contains(row.Value(), f.word) {
//				out.Keep(row)
//			}
//		}
//		return nil
//	}
//
// `wasmill build` makes a module of it, with the plain Go compiler; package wasmilltest tries it in a Go test.
//
// # What becomes of a row
//
//   - [Output.Keep] sends it on: to the first route of the [Plan], unless [Sent.Route] names another. What is not set on
//     the answer (key, value, headers, timestamp) stays the row's own, and is not copied out of the module.
//   - A row that is not kept is dropped on purpose.
//   - [Output.Reject] sends it to the pipeline's dead letters, with a reason.
//   - [Retry] asks for the whole batch again, later. Any other error stops the pipeline; [Fatal] says so in words.
//   - A panic ends the call: the host finds the row that causes it, sends it to the dead letters with the panic's
//     message and stack, and goes on with the rest.
//
// Rows are to be kept in the order of the batch: acknowledgement and order hang on it. One row may be kept several times.
// A batch may be given to the module more than once.
//
// # What a module may do
//
// Compute, log ([Log]; log/slog with package hostlog; standard output is heard as well) and count ([Count], [Observe]).
// It has no files, no network and no environment. An instance is called by one thread at a time, keeps its
// state from batch to batch, and may be replaced at any time.
//
// Goroutines run while a call of the module runs, one at a time, and stand still in between. A call that waits for
// something that never comes ends in a panic, or at the pipeline's `limits.time`.
//
// # Memory
//
// What a [Row] hands out points into memory that the next batch overwrites: copy what is to be kept beyond the call.
package wasmill
