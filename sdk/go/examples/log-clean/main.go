// Command log-clean is a module that cleanses JSON logs: it drops fields that must not be kept, adds one, and rejects
// lines that are no JSON object.
package main

import (
	"errors"
	"strings"

	wasmill "github.com/wasmill/wasmill/sdk/go"
	"github.com/wasmill/wasmill/sdk/go/jsonedit"
)

func main() { wasmill.Run(&logClean{}) }

type logClean struct {
	// ignore are paths: user.email is the field email inside of user.
	ignore     [][]string
	name, text string
	line       jsonedit.Object
}

func (l *logClean) Describe() wasmill.Description {
	return wasmill.Description{
		Name: "log-clean", Version: "1.0.0",
		Summary: "Drops fields of JSON logs, adds one, and rejects lines that are no JSON object.",
		Settings: []wasmill.Setting{
			{Name: "ignore", Summary: "fields to drop, between commas: name,password,user.email"},
			{Name: "set", Summary: "a field to add: env=prod"},
		},
	}
}

func (l *logClean) Init(config wasmill.Config) (wasmill.Plan, error) {
	for _, path := range config.List("ignore") {
		l.ignore = append(l.ignore, strings.Split(path, "."))
	}
	if set, there := config.Lookup("set"); there {
		if l.name, l.text, there = strings.Cut(set, "="); !there || l.name == "" {
			return wasmill.Plan{}, errors.New("setting `set` must be FIELD=VALUE")
		}
	}
	return wasmill.Plan{Routes: []string{"clean"}, Reads: wasmill.ReadValues}, nil
}

func (l *logClean) Transform(batch *wasmill.Batch, out *wasmill.Output) error {
	for row := range batch.Rows() {
		if err := l.line.Parse(row.Value()); err != nil {
			out.Reject(row, "not a JSON object: "+err.Error())
			continue
		}
		for _, path := range l.ignore {
			l.line.Remove(path...)
		}
		if l.name != "" {
			l.line.SetString(l.name, l.text)
		}
		if err := out.Keep(row).AppendValue(&l.line); err != nil {
			return err
		}
	}
	return nil
}
