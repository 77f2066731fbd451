package wasmill_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	wasmill "github.com/wasmill/wasmill/sdk/go"
	"github.com/wasmill/wasmill/sdk/go/wasmilltest"
)

// From here to "end", the README says the same.

// lines keeps the lines that hold a word.
type lines struct{ word []byte }

func (l *lines) Describe() wasmill.Description {
	return wasmill.Description{
		Name: "errors", Version: "1.0.0",
		Summary:  "Keeps the lines that hold a word.",
		Settings: []wasmill.Setting{{Name: "word", Summary: "the word", Default: "ERROR"}},
	}
}

func (l *lines) Init(config wasmill.Config) (wasmill.Plan, error) {
	l.word = []byte(config.Get("word"))
	return wasmill.Plan{Routes: []string{"out"}, Reads: wasmill.ReadValues}, nil
}

func (l *lines) Transform(batch *wasmill.Batch, out *wasmill.Output) error {
	for row := range batch.Rows() {
		if bytes.Contains(row.Value(), l.word) {
			out.Keep(row)
		}
	}
	return nil
}

// end

func Example() {
	done, err := wasmilltest.Run(&lines{}, map[string]string{"word": "disk"},
		wasmilltest.Value("ERROR: disk"), wasmilltest.Value("all is well"))
	if err != nil {
		fmt.Println(err)
	}
	for _, sent := range done.Records {
		fmt.Printf("%s: %s\n", sent.Route, sent.Value)
	}
	// Output: out: ERROR: disk
}

func TestTheREADMESaysTheSame(t *testing.T) {
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(source), "the README says the same.\n\n")
	code, _, _ = strings.Cut(code, "\n// end")
	if !strings.Contains(string(readme), code) {
		t.Errorf("the README does not have:\n%s", code)
	}
}
