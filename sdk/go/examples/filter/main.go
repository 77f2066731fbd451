// Command filter is a module that keeps the records whose value contains a word, or drops them.
package main

import (
	"bytes"

	wasmill "github.com/wasmill/wasmill/sdk/go"
)

func main() { wasmill.Run(&filter{}) }

type filter struct {
	word []byte
	drop bool
}

func (f *filter) Describe() wasmill.Description {
	return wasmill.Description{
		Name: "filter", Version: "0.1.0",
		Summary: "Keeps the records whose value contains a word.",
		Settings: []wasmill.Setting{
			{Name: "contains", Summary: "the word to look for", Required: true},
			{Name: "drop", Summary: "whether such records are dropped instead", Default: "false"},
		},
	}
}

func (f *filter) Init(config wasmill.Config) (wasmill.Plan, error) {
	word, err := config.Required("contains")
	if err != nil {
		return wasmill.Plan{}, err
	}
	f.word = []byte(word)
	if f.drop, err = config.Bool("drop", false); err != nil {
		return wasmill.Plan{}, err
	}
	return wasmill.Plan{Routes: []string{"kept"}, Reads: wasmill.ReadValues}, nil
}

func (f *filter) Transform(batch *wasmill.Batch, out *wasmill.Output) error {
	for row := range batch.Rows() {
		if bytes.Contains(row.Value(), f.word) != f.drop {
			out.Keep(row)
		}
	}
	return nil
}
