package hostlog

import (
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"
)

// heard is what a function writes to standard error, where lines go outside a host.
func heard(t *testing.T, say func()) string {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = write
	defer func() { os.Stderr = stderr }()
	say()
	write.Close()
	text, err := io.ReadAll(read)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRecordsBecomeLines(t *testing.T) {
	log := slog.New(New(slog.LevelDebug))
	said := heard(t, func() {
		log.Debug("plain")
		log.Info("with", "n", 1, "text", "a b", "empty", "", "at", time.Unix(0, 0).UTC())
		log.With("a", true).WithGroup("g").With("b", 2).Warn("nested", slog.Group("h", "c", 3), slog.Group("", "d", 4))
		log.Error("bad \xff text")
		log.Log(t.Context(), slog.LevelDebug-4, "below")
	})
	want := strings.Join([]string{
		`debug: plain`,
		`info: with n=1 text="a b" empty="" at=1970-01-01T00:00:00Z`,
		`warn: nested a=true g.b=2 g.h.c=3 g.d=4`,
		"error: bad \uFFFD text",
		``,
	}, "\n")
	if said != want {
		t.Errorf("got\n%swant\n%s", said, want)
	}
}

func TestOnlyNewsIsWrittenUnlessToldOtherwise(t *testing.T) {
	said := heard(t, func() {
		log := slog.New(New(nil))
		log.Debug("no")
		log.Info("yes")
	})
	if said != "info: yes\n" {
		t.Errorf("got %q", said)
	}
}
