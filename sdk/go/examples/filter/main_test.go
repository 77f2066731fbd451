package main

import (
	"testing"

	"github.com/wasmill/wasmill/sdk/go/wasmilltest"
)

func TestKeepsAndDrops(t *testing.T) {
	records := []wasmilltest.Record{wasmilltest.Value("an ERROR here"), wasmilltest.Value("all is well"), {}}
	for drop, rows := range map[string][]int{"false": {0}, "true": {1, 2}} {
		done, err := wasmilltest.Run(&filter{}, map[string]string{"contains": "ERROR", "drop": drop}, records...)
		if err != nil {
			t.Fatal(err)
		}
		if len(done.Records) != len(rows) || done.Records[0].Row != rows[0] {
			t.Errorf("drop %s: got %v", drop, done.Records)
		}
		if done.Columns != nil {
			t.Errorf("a filter copies nothing back; it copied %v", done.Columns)
		}
	}
}

func TestRefusesAnEmptyWord(t *testing.T) {
	if _, err := wasmilltest.Run(&filter{}, map[string]string{"contains": ""}); err == nil {
		t.Error("every record contains nothing: it must be refused")
	}
}
