package main

import (
	"testing"

	"github.com/wasmill/wasmill/sdk/go/wasmilltest"
)

func TestCleans(t *testing.T) {
	settings := map[string]string{"ignore": "password,user.email", "set": "env=prod"}
	done, err := wasmilltest.Run(&logClean{}, settings,
		wasmilltest.Value(`{"time":1.50,"password":"x","user":{"id":7,"email":"a@b.c"}}`),
		wasmilltest.Value(`plain text`))
	if err != nil {
		t.Fatal(err)
	}
	if len(done.Records) != 1 || len(done.Rejects) != 1 {
		t.Fatalf("got %+v", done)
	}
	if got, want := string(done.Records[0].Value), `{"time":1.50,"user":{"id":7},"env":"prod"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := done.Rejects[0].Reason, "not a JSON object: no JSON object begins at byte 0"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRefusesASettingThatIsNoField(t *testing.T) {
	if _, err := wasmilltest.Run(&logClean{}, map[string]string{"set": "env"}); err == nil {
		t.Error("it must be refused")
	}
}
