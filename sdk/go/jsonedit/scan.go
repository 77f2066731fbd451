package jsonedit

import (
	"encoding/binary"
	"math/bits"
	"strconv"
)

// depthMax is how deep a text may be nested.
const depthMax = 1000

// A SyntaxError says where a text is not the JSON that it should be.
type SyntaxError struct {
	// Offset of the byte that is wrong, from 0; the length of the text where that ends too early.
	Offset int
	reason string
}

func (e *SyntaxError) Error() string {
	return e.reason + " at byte " + strconv.Itoa(e.Offset)
}

// A scanner goes over a text once. The first thing that is wrong ends it: functions answer -1 then.
type scanner struct {
	text []byte
	err  *SyntaxError
	// open are the containers around the place where it is, a bit each: set for an object.
	open  [(depthMax + 63) / 64]uint64
	depth int
}

func (s *scanner) fail(at int, reason string) int {
	if s.err == nil {
		if at >= len(s.text) {
			at, reason = len(s.text), "the text ends too early"
		}
		s.err = &SyntaxError{at, reason}
	}
	return -1
}

// blank answers the first place from i on that is not white space.
func (s *scanner) blank(i int) int {
	for i < len(s.text) {
		switch s.text[i] {
		case ' ', '\t', '\n', '\r':
			i++
		default:
			return i
		}
	}
	return i
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special marks, with the high bit of each byte, those of eight that end the plain part of a string: a quote, a
// backslash, and what is below a blank. Of the marks only the lowest is to be relied on.
func special(w uint64) uint64 {
	quote := w ^ ones*'"'
	slash := w ^ ones*'\\'
	return ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*' ')&^w) & highs
}

// str goes over the string that begins at i, and answers the place behind it and whether it has escapes.
func (s *scanner) str(i int) (end int, escaped bool) {
	text := s.text
	i++
	for {
		for i+8 <= len(text) {
			if marks := special(binary.LittleEndian.Uint64(text[i:])); marks != 0 {
				i += bits.TrailingZeros64(marks) / 8
				break
			}
			i += 8
		}
		for i < len(text) && text[i] >= ' ' && text[i] != '"' && text[i] != '\\' {
			i++
		}
		if i >= len(text) {
			return s.fail(i, ""), escaped
		}
		switch text[i] {
		case '"':
			return i + 1, escaped
		case '\\':
			escaped = true
			if i = s.escape(i); i < 0 {
				return i, escaped
			}
		default:
			return s.fail(i, "a control character in a string"), escaped
		}
	}
}

// escape goes over the escape at i.
func (s *scanner) escape(i int) int {
	if i+1 >= len(s.text) {
		return s.fail(i+1, "")
	}
	switch s.text[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		for digit := i + 2; digit < i+6; digit++ {
			if digit >= len(s.text) || hex(s.text[digit]) < 0 {
				return s.fail(digit, "no hexadecimal digit in an escape")
			}
		}
		return i + 6
	}
	return s.fail(i+1, "an escape that JSON does not have")
}

func hex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// digits goes over at least one digit.
func (s *scanner) digits(i int) int {
	begin := i
	for i < len(s.text) && s.text[i]-'0' <= 9 {
		i++
	}
	if i == begin {
		return s.fail(i, "a digit is missing")
	}
	return i
}

func (s *scanner) number(i int) int {
	if s.text[i] == '-' {
		i++
	}
	if i < len(s.text) && s.text[i] == '0' {
		i++
	} else if i = s.digits(i); i < 0 {
		return i
	}
	if i < len(s.text) && s.text[i] == '.' {
		if i = s.digits(i + 1); i < 0 {
			return i
		}
	}
	if i < len(s.text) && s.text[i]|0x20 == 'e' {
		i++
		if i < len(s.text) && (s.text[i] == '+' || s.text[i] == '-') {
			i++
		}
		i = s.digits(i)
	}
	return i
}

func (s *scanner) literal(i int, word string) int {
	for j := range len(word) {
		if i+j >= len(s.text) || s.text[i+j] != word[j] {
			return s.fail(i+j, "no value that JSON has")
		}
	}
	return i + len(word)
}

// value goes over the value that begins at i, and answers the place behind it.
func (s *scanner) value(i int) int {
	if i >= len(s.text) {
		return s.fail(i, "")
	}
	switch c := s.text[i]; {
	case c == '"':
		end, _ := s.str(i)
		return end
	case c == '{' || c == '[':
		return s.container(i)
	case c == '-' || c-'0' <= 9:
		return s.number(i)
	case c == 't':
		return s.literal(i, "true")
	case c == 'f':
		return s.literal(i, "false")
	case c == 'n':
		return s.literal(i, "null")
	}
	return s.fail(i, "no value begins")
}

// enter notes that a container begins.
func (s *scanner) enter(i int) bool {
	if s.depth >= depthMax {
		s.fail(i, "nested deeper than "+strconv.Itoa(depthMax))
		return false
	}
	word, bit := s.depth/64, uint64(1)<<(s.depth%64)
	if s.text[i] == '{' {
		s.open[word] |= bit
	} else {
		s.open[word] &^= bit
	}
	s.depth++
	return true
}

// inObject says whether the innermost container is an object.
func (s *scanner) inObject() bool {
	d := s.depth - 1
	return s.open[d/64]>>(d%64)&1 == 1
}

// container goes over an object or an array and all that is in it. It does not call itself: a text must not be able to
// use up the stack.
func (s *scanner) container(i int) int {
	outside := s.depth
	if !s.enter(i) {
		return -1
	}
	i = s.blank(i + 1)
	if i < len(s.text) && s.text[i] == closing(s.inObject()) {
		s.depth--
		return i + 1
	}
	for {
		// A member or an element begins at i.
		if s.inObject() {
			if _, _, i = s.name(i); i < 0 {
				return i
			}
		}
		if i < len(s.text) && (s.text[i] == '{' || s.text[i] == '[') {
			if !s.enter(i) {
				return -1
			}
			i = s.blank(i + 1)
			if i >= len(s.text) || s.text[i] != closing(s.inObject()) {
				continue
			}
			s.depth--
			i++
		} else if i = s.value(i); i < 0 {
			return i
		}
		// A value ends at i: containers that end here as well, then a comma.
		for {
			i = s.blank(i)
			if i < len(s.text) && s.text[i] == ',' {
				i = s.blank(i + 1)
				break
			}
			if i >= len(s.text) || s.text[i] != closing(s.inObject()) {
				return s.fail(i, "neither a comma nor the end of the "+kind(s.inObject()))
			}
			i++
			if s.depth--; s.depth == outside {
				return i
			}
		}
	}
}

func closing(object bool) byte {
	if object {
		return '}'
	}
	return ']'
}

func kind(object bool) string {
	if object {
		return "object"
	}
	return "array"
}

// name goes over a member's name, from its quote at i, and the colon behind it. It answers where the name ends, whether it
// has escapes, and where the value begins.
func (s *scanner) name(i int) (end int, escaped bool, value int) {
	if i >= len(s.text) || s.text[i] != '"' {
		return -1, false, s.fail(i, "no name of a field begins")
	}
	if end, escaped = s.str(i); end < 0 {
		return end, escaped, end
	}
	i = s.blank(end)
	if i >= len(s.text) || s.text[i] != ':' {
		return -1, escaped, s.fail(i, "no colon behind the name of a field")
	}
	return end, escaped, s.blank(i + 1)
}
