package wire

import "testing"

func TestNullsAreFoundInAnyOrder(t *testing.T) {
	var c Column
	null := map[int]bool{}
	for i := range 100 {
		value := []byte{byte(i)}
		if i%3 == 0 || i > 90 {
			value, null[i] = nil, true
		}
		c.Push(value)
	}
	for _, step := range []int{1, 7, 37, 99} {
		for i, n := 0, 0; n < 300; i, n = (i+step)%100, n+1 {
			got := c.At(i)
			if (got == nil) != null[i] || c.Null(i) != null[i] || got != nil && got[0] != byte(i) {
				t.Fatalf("value %d: %v", i, got)
			}
		}
	}
}

func TestValuesEndAtTheirCapacity(t *testing.T) {
	var c Column
	c.Push([]byte("ab"))
	c.Push([]byte("cd"))
	_ = append(c.At(0), 'x')
	if string(c.At(1)) != "cd" {
		t.Error("one value grew into the next")
	}
}

func TestAColumnOfEmptyValuesHasNoNulls(t *testing.T) {
	c := Column{Ends: []uint32{0, 0}}
	if c.At(0) == nil || c.At(1) == nil || c.At(2) != nil {
		t.Error("empty is not null, and what is not there is")
	}
}
