package wasmill_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	wasmill "github.com/wasmill/wasmill/sdk/go"
	"github.com/wasmill/wasmill/sdk/go/wasmilltest"
)

// asks is a module that looks at its settings.
type asks struct {
	settings []wasmill.Setting
	look     func(config wasmill.Config) error
}

func (a *asks) Describe() wasmill.Description { return wasmill.Description{Settings: a.settings} }

func (a *asks) Init(config wasmill.Config) (wasmill.Plan, error) {
	return wasmill.Plan{Routes: []string{"out"}}, a.look(config)
}

func (a *asks) Transform(*wasmill.Batch, *wasmill.Output) error { return nil }

func look(t *testing.T, described []wasmill.Setting, given map[string]string, look func(config wasmill.Config) error) error {
	t.Helper()
	_, err := wasmilltest.Start(&asks{described, look}, given)
	return err
}

func TestSettingsAreReadAsWhatTheyAre(t *testing.T) {
	given := map[string]string{"n": "-7", "f": "1.5", "b": "true", "d": "1m30s", "l": " a, ,b ,", "bad": "x", "empty": ""}
	err := look(t, nil, given, func(config wasmill.Config) error {
		n, err1 := config.Int("n", 1)
		f, err2 := config.Float("f", 1)
		b, err3 := config.Bool("b", false)
		d, err4 := config.Duration("d", 0)
		expect(t, []any{n, f, b, d, config.List("l"), config.List("none")},
			[]any{-7, 1.5, true, 90 * time.Second, []string{"a", "b"}, []string(nil)})
		unset, _ := config.Int("none", 42)
		expect(t, unset, 42)
		_, err5 := config.Int("bad", 0)
		expect(t, err5.Error(), "setting `bad`: \"x\" is not a whole number")
		_, err6 := config.Required("empty")
		expect(t, err6.Error(), "setting `empty` is required")
		if _, there := config.Lookup("empty"); !there {
			t.Error("a setting may be empty")
		}
		return errors.Join(err1, err2, err3, err4)
	})
	if err != nil {
		t.Error(err)
	}
}

func TestDefaultsAreFilledInAndRequiredSettingsAskedFor(t *testing.T) {
	described := []wasmill.Setting{{Name: "level", Default: "debug"}, {Name: "table", Summary: "the table", Required: true}}
	var all []string
	read := func(config wasmill.Config) error {
		all = nil
		for name, value := range config.All() {
			all = append(all, name+"="+value)
		}
		slices.Sort(all)
		return nil
	}
	if err := look(t, described, map[string]string{"table": "t"}, read); err != nil {
		t.Error(err)
	}
	expect(t, all, []string{"level=debug", "table=t"})
	if err := look(t, described, map[string]string{"table": "", "level": ""}, read); err != nil {
		t.Error(err)
	}
	expect(t, all, []string{"level=", "table="})
	err := look(t, described, nil, read)
	if err == nil || err.Error() != "setting `table` is required: the table" {
		t.Errorf("got %v", err)
	}
}
