package jsonedit

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// Texts that the tests begin with, and the fuzzing as well.
var texts = []string{
	`{}`, ` { } `, `{"a":1}`, `{"a":1,"b":[1,2,{"c":null}],"d":{"e":true}}`,
	"{\n\t\"a\" : \"x\" ,\r \"b\" : -0.5e+10 }", `{"a":"\u00e4\ud83d\ude00\"\\\/\b\f\n\r\t"}`,
	`{"\u0061":1,"a":2}`, `{"a":{"a":{"a":{}}}}`, `{"":""}`, `{"a":[],"b":{},"c":[[],[{}]]}`,
	`{"ä€😀":"ä€😀"}`, `{"a":"\ud800"}`, `{"a":"\ud800\u0041"}`, `{"long name with more than eight bytes":"and \"quotes\" in a long text"}`,
	``, ` `, `{`, `}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{"a":1 "b":2}`, `{"a":1}x`, `[1]`, `"a"`, `null`, `1`,
	`{"a":01}`, `{"a":1.}`, `{"a":.5}`, `{"a":-}`, `{"a":1e}`, `{"a":+1}`, `{"a":tru}`, `{"a":nul}`, `{"a":True}`,
	`{"a":"`, `{"a":"\`, `{"a":"\x"}`, `{"a":"\u12"}`, `{"a":"\u12g4"}`, "{\"a\":\"\x01\"}", "{\"a\":\"\n\"}",
	"{\"a\":\"\xff\"}", "{\"\xc3\":1}", `{"a":[1,]}`, `{"a":[1 2]}`, `{"a":[}`, `{"a":[1}}`, `{'a':1}`, `{"a":1}}`,
	"\ufeff{}", "{\"a\":1}\x00", "{\"a\":\v1}",
}

// valid is what Parse is to take.
func valid(text string) bool {
	var object map[string]json.RawMessage
	return utf8.ValidString(text) && json.Valid([]byte(text)) && json.Unmarshal([]byte(text), &object) == nil &&
		object != nil
}

func checkParse(t *testing.T, text string) {
	t.Helper()
	var o Object
	err := o.Parse([]byte(text))
	if (err == nil) != valid(text) {
		t.Fatalf("Parse(%q): %v; encoding/json says that it is valid: %t", text, err, valid(text))
	}
	if err == nil {
		if got := string(o.Bytes()); got != strings.Trim(text, " \t\r\n") {
			t.Errorf("Parse(%q) and Bytes: %q", text, got)
		}
		return
	}
	var syntax *SyntaxError
	if !errors.As(err, &syntax) || syntax.Offset < 0 || syntax.Offset > len(text) {
		t.Errorf("Parse(%q): %#v", text, err)
	}
	if o.Len() != 0 || o.String() != "{}" {
		t.Errorf("Parse(%q) left %s", text, o.String())
	}
}

func TestTakesWhatIsJSONAndNothingElse(t *testing.T) {
	for _, text := range texts {
		checkParse(t, text)
		// Every byte at each place, with the strings at every offset of the eight bytes that are looked at together.
		for shift := range 9 {
			checkParse(t, strings.Repeat(" ", shift)+text)
		}
	}
	for _, text := range texts[:14] {
		for i := range len(text) {
			checkParse(t, text[:i])
			for c := range 256 {
				checkParse(t, text[:i]+string([]byte{byte(c)})+text[i+1:])
			}
		}
	}
}

func TestSaysWhatIsWrongAndWhere(t *testing.T) {
	for text, want := range map[string]string{
		``:                 "the text ends too early at byte 0",
		`plain`:            "no JSON object begins at byte 0",
		`{"a":1,}`:         "no name of a field begins at byte 7",
		`{"a" 1}`:          "no colon behind the name of a field at byte 5",
		`{"a":x}`:          "no value begins at byte 5",
		`{"a":1}2`:         "something comes behind the object at byte 7",
		`{"a":[1 2]}`:      "neither a comma nor the end of the array at byte 8",
		`{"a":"\q"}`:       "an escape that JSON does not have at byte 7",
		"{\"a\":\"\n\"}":   "a control character in a string at byte 6",
		"{\"a\":\"\xff\"}": "no UTF-8 at byte 6",
		`{"a":1.x}`:        "a digit is missing at byte 7",
		`{"a":trux}`:       "no value that JSON has at byte 8",
		`{"a":tru`:         "the text ends too early at byte 8",
	} {
		var o Object
		if err := o.Parse([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("Parse(%q): %v, want %s", text, err, want)
		}
	}
}

func TestDepthIsBounded(t *testing.T) {
	for _, part := range [][2]string{{`{"a":`, `}`}, {`[`, `]`}, {`[{"a":`, `}]`}} {
		levels := strings.Count(part[0], "[") + strings.Count(part[0], "{")
		nested := func(depth int) string {
			n := depth / levels
			return `{"a":` + strings.Repeat(part[0], n) + `1` + strings.Repeat(part[1], n) + `}`
		}
		var o Object
		if err := o.Parse([]byte(nested(depthMax - 2))); err != nil {
			t.Errorf("%s: %v", part[0], err)
		}
		// Neither a panic nor a stack that grows with the text.
		if err := o.Parse([]byte(nested(1 << 20))); err == nil || !strings.Contains(err.Error(), "nested deeper than 1000") {
			t.Errorf("%s: %v", part[0], err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range texts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var o Object
		if err := o.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), "nested deeper than 1000") {
			checkParse(t, text)
		} else if strings.Count(text, "[")+strings.Count(text, "{") <= depthMax {
			// encoding/json goes deeper, so that it cannot say whether the rest is right.
			t.Errorf("Parse(%q): %v, and it is not", text, err)
		}
	})
}
