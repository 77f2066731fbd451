package jsonedit

import (
	"encoding/json"
	"reflect"
	"testing"
)

// tree reads a value through the accessors, as encoding/json would.
func tree(v Value) any {
	switch v.Kind() {
	case KindBool:
		truth, _ := v.Bool()
		return truth
	case KindNumber:
		return json.Number(v.String())
	case KindString:
		return v.Text()
	case KindArray:
		all := []any{}
		for element := range v.Elements() {
			all = append(all, tree(element))
		}
		return all
	case KindObject:
		all := map[string]any{}
		for name, member := range v.Members() {
			all[name] = tree(member)
		}
		return all
	}
	return nil
}

func TestReadsWhatEncodingJSONReads(t *testing.T) {
	for _, text := range append(objects, texts...) {
		if !valid(text) {
			continue
		}
		value, err := Parse([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got, want := tree(value), any(decode(t, text)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}

func TestKindsDoNotMix(t *testing.T) {
	for _, text := range []string{`null`, `true`, `12`, `"12"`, `[12]`, `{"a":12}`} {
		v, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		_, isInt := v.Int()
		_, isUint := v.Uint()
		_, isFloat := v.Float()
		if number := v.Kind() == KindNumber; isInt != number || isUint != number || isFloat != number {
			t.Errorf("%s as a number: %t %t %t", text, isInt, isUint, isFloat)
		}
		if _, isBool := v.Bool(); isBool != (v.Kind() == KindBool) {
			t.Errorf("%s as a truth value", text)
		}
		if (v.Text() != "") != (v.Kind() == KindString) || v.Is("") {
			t.Errorf("%s as a text: %q", text, v.Text())
		}
		if _, there := v.Get("a"); there != (v.Kind() == KindObject) {
			t.Errorf("%s has a field", text)
		}
	}
	var none Value
	if none.Kind() != KindNone || none.Text() != "" || none.Is("") {
		t.Error("the zero value is something")
	}
	if _, there := none.Get(); there {
		t.Error("the zero value is there")
	}
	for text, ok := range map[string]bool{`9223372036854775807`: true, `9223372036854775808`: false, `1.0`: false, `-1`: true} {
		v, _ := Parse([]byte(text))
		if _, is := v.Int(); is != ok {
			t.Errorf("%s as a whole number: %t", text, is)
		}
	}
	if v, _ := Parse([]byte(`18446744073709551615`)); v.String() != `18446744073709551615` {
		t.Error("digits are lost")
	} else if n, ok := v.Uint(); !ok || n != 1<<64-1 {
		t.Errorf("%d, %t", n, ok)
	}
}
