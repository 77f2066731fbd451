package wasmill

import (
	"errors"
	"iter"
	"strconv"
	"strings"
	"time"
)

// Config is the settings of a pipeline, as its `module.config` gives them, and the defaults of those that it leaves
// out.
type Config struct {
	names  []string
	values map[string]string
}

func newConfig(described []Setting, given [][2]string) Config {
	c := Config{values: make(map[string]string, len(given))}
	add := func(name, value string) {
		if _, there := c.values[name]; !there {
			c.names = append(c.names, name)
		}
		c.values[name] = value
	}
	for _, setting := range given {
		add(setting[0], setting[1])
	}
	for _, setting := range described {
		if _, there := c.values[setting.Name]; !there && setting.Default != "" {
			add(setting.Name, setting.Default)
		}
	}
	return c
}

// Get answers a setting, or its default; "" where there is neither.
func (c Config) Get(name string) string { return c.values[name] }

// Lookup answers a setting, or its default, and whether there is either.
func (c Config) Lookup(name string) (string, bool) {
	value, there := c.values[name]
	return value, there
}

// Required answers a setting that must be there and not empty. One that is described as required is there when Init is
// called, but may be empty; and some settings are required in some cases only.
func (c Config) Required(name string) (string, error) {
	if value := c.values[name]; value != "" {
		return value, nil
	}
	return "", errors.New("setting `" + name + "` is required")
}

// List answers a setting as a list: parts between commas, trimmed, without empty ones.
func (c Config) List(name string) []string {
	var parts []string
	for part := range strings.SplitSeq(c.values[name], ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

// Int answers a setting as a whole number; unset where it is not there.
func (c Config) Int(name string, unset int) (int, error) {
	return read(c, name, unset, "a whole number", strconv.Atoi)
}

// Float answers a setting as a number; unset where it is not there.
func (c Config) Float(name string, unset float64) (float64, error) {
	float := func(text string) (float64, error) { return strconv.ParseFloat(text, 64) }
	return read(c, name, unset, "a number", float)
}

// Bool answers a setting as a truth value; unset where it is not there.
func (c Config) Bool(name string, unset bool) (bool, error) {
	return read(c, name, unset, "true or false", strconv.ParseBool)
}

// Duration answers a setting such as 1m30s as a duration; unset where it is not there.
func (c Config) Duration(name string, unset time.Duration) (time.Duration, error) {
	return read(c, name, unset, "a duration such as 1m30s", time.ParseDuration)
}

func read[T any](c Config, name string, unset T, what string, parse func(string) (T, error)) (T, error) {
	text, there := c.values[name]
	if !there {
		return unset, nil
	}
	value, err := parse(text)
	if err != nil {
		return unset, errors.New("setting `" + name + "`: " + strconv.Quote(text) + " is not " + what)
	}
	return value, nil
}

// All answers every setting: those given, then the defaults of the others.
func (c Config) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, name := range c.names {
			if !yield(name, c.values[name]) {
				return
			}
		}
	}
}
