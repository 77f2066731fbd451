// Package hostlog brings what a module writes with log/slog to the host: as lines of `wasmill logs`, with the pipeline,
// the release and the level. It is a package of its own because log/slog adds a third to a small module; wasmill.Log
// does without it.
//
// In a host, importing it is enough: [slog.Default] is then a [Handler] for [slog.LevelInfo] and above, and the functions
// of package log go the same way.
//
//	import _ "github.com/wasmill/wasmill/sdk/go/hostlog"
package hostlog

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"time"

	wasmill "github.com/wasmill/wasmill/sdk/go"
)

// Handler is a [slog.Handler] whose records are lines of the host's log. The host bounds their number and length, and
// knows their time. Outside a host they go to standard error.
type Handler struct {
	level slog.Leveler
	// group is put before the name of each attribute: "a.b.".
	group string
	// attributes were given by WithAttrs, as they are written.
	attributes string
}

// New answers a handler for records of a level or above; nil means [slog.LevelInfo].
func New(level slog.Leveler) *Handler {
	if level == nil {
		level = slog.LevelInfo
	}
	return &Handler{level: level}
}

// Enabled says whether records of a level are written.
func (h *Handler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.level.Level()
}

// Handle writes a record: its message, then its attributes as name=value.
func (h *Handler) Handle(_ context.Context, record slog.Record) error {
	line := append([]byte(record.Message), h.attributes...)
	record.Attrs(func(attribute slog.Attr) bool {
		line = appendAttribute(line, h.group, attribute)
		return true
	})
	wasmill.Log(level(record.Level), string(line))
	return nil
}

// WithAttrs answers a handler that adds attributes to each record.
func (h *Handler) WithAttrs(attributes []slog.Attr) slog.Handler {
	with := *h
	text := []byte(h.attributes)
	for _, attribute := range attributes {
		text = appendAttribute(text, h.group, attribute)
	}
	with.attributes = string(text)
	return &with
}

// WithGroup answers a handler whose attributes are in a group.
func (h *Handler) WithGroup(name string) slog.Handler {
	with := *h
	if name != "" {
		with.group += name + "."
	}
	return &with
}

func appendAttribute(line []byte, group string, attribute slog.Attr) []byte {
	value := attribute.Value.Resolve()
	if attribute.Equal(slog.Attr{}) {
		return line
	}
	if value.Kind() == slog.KindGroup {
		// A group without a name is inlined, as slog asks.
		if attribute.Key != "" {
			group += attribute.Key + "."
		}
		for _, inner := range value.Group() {
			line = appendAttribute(line, group, inner)
		}
		return line
	}
	text := value.String()
	if value.Kind() == slog.KindTime {
		text = value.Time().Format(time.RFC3339Nano)
	}
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == '"' || r == '=' }) {
		text = strconv.Quote(text)
	}
	line = append(line, ' ')
	line = append(line, group...)
	line = append(line, attribute.Key...)
	line = append(line, '=')
	return append(line, text...)
}

func level(l slog.Level) wasmill.Level {
	switch {
	case l >= slog.LevelError:
		return wasmill.LevelError
	case l >= slog.LevelWarn:
		return wasmill.LevelWarn
	case l >= slog.LevelInfo:
		return wasmill.LevelInfo
	case l >= slog.LevelDebug:
		return wasmill.LevelDebug
	}
	return wasmill.LevelTrace
}
