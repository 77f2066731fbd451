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
	// high has the high bits of what stands in strings: it is ASCII where there are none.
	high uint64
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

// ascii says whether what was gone over is ASCII, and so UTF-8. Outside of strings JSON is nothing else.
func (s *scanner) ascii() bool { return s.high&highs == 0 }

// begin gives it a text.
func (s *scanner) begin(text []byte) { s.text, s.err, s.high, s.depth = text, nil, 0, 0 }

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
//
// Like the rest of what is called for each field, it is written for Go's code on wasm, where a call costs as much as ten
// bytes looked at.
func (s *scanner) str(i int) (end int, escaped bool) {
	text := s.text
	i++
	for {
		for i+8 <= len(text) {
			w := binary.LittleEndian.Uint64(text[i:])
			marks := special(w)
			if marks == 0 {
				s.high |= w
				i += 8
				continue
			}
			n := bits.TrailingZeros64(marks)
			s.high |= w << (63 - n)
			i += n / 8
			goto mark
		}
		for i < len(text) && text[i] >= ' ' && text[i] != '"' && text[i] != '\\' {
			s.high |= uint64(text[i])
			i++
		}
		if i >= len(text) {
			return s.fail(i, ""), escaped
		}
	mark:
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

func (s *scanner) number(i int) int {
	text := s.text
	if text[i] == '-' {
		i++
	}
	begin := i
	for i < len(text) && text[i]-'0' <= 9 {
		i++
	}
	if i == begin {
		return s.fail(i, "a digit is missing")
	}
	if text[begin] == '0' {
		// No digits behind a zero: whatever stands there is looked at by the caller.
		i = begin + 1
	}
	if i < len(text) && text[i] == '.' {
		i++
		begin = i
		for i < len(text) && text[i]-'0' <= 9 {
			i++
		}
		if i == begin {
			return s.fail(i, "a digit is missing")
		}
	}
	if i < len(text) && text[i]|0x20 == 'e' {
		i++
		if i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		begin = i
		for i < len(text) && text[i]-'0' <= 9 {
			i++
		}
		if i == begin {
			return s.fail(i, "a digit is missing")
		}
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
	switch s.text[i] {
	case '"':
		end, _ := s.str(i)
		return end
	case '{', '[':
		return s.container(i)
	}
	return s.scalar(i)
}

// scalar goes over a number, true, false or null at i.
func (s *scanner) scalar(i int) int {
	switch c := s.text[i]; {
	case c-'0' <= 9 || c == '-':
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

// container goes over the object or array that begins at i, and all that is in it. It does not call itself: a text must
// not be able to use up the stack.
func (s *scanner) container(i int) int {
	text, depth := s.text, s.depth
	for {
		// A container begins at i.
		if depth >= depthMax {
			return s.fail(i, "nested deeper than "+strconv.Itoa(depthMax))
		}
		object := text[i] == '{'
		if word, bit := depth/64, uint64(1)<<(depth%64); object {
			s.open[word] |= bit
		} else {
			s.open[word] &^= bit
		}
		depth++
		if i++; i < len(text) && text[i] <= ' ' {
			i = s.blank(i)
		}
		if i >= len(text) || text[i] != closing(object) {
			if i = s.inside(i, object); i < 0 {
				return i
			}
			if text[i] == '{' || text[i] == '[' {
				continue
			}
		}
		// It ends at i, or one inside of it begins, and so on outwards.
		for text[i] != '{' && text[i] != '[' {
			i++
			if depth--; depth == s.depth {
				return i
			}
			object = s.open[(depth-1)/64]>>((depth-1)%64)&1 == 1
			if i < len(text) && text[i] <= ' ' {
				i = s.blank(i)
			}
			switch {
			case i < len(text) && text[i] == closing(object):
			case i < len(text) && text[i] == ',':
				if i++; i < len(text) && text[i] <= ' ' {
					i = s.blank(i)
				}
				if i = s.inside(i, object); i < 0 {
					return i
				}
			default:
				return s.fail(i, neither(object))
			}
		}
	}
}

// inside goes over the members or elements of a container, from the one that begins at i, and answers where the container
// ends, or where one inside of it begins.
func (s *scanner) inside(i int, object bool) int {
	text := s.text
	for {
		if object {
			if _, _, i = s.name(i); i < 0 {
				return i
			}
		}
		switch {
		case i >= len(text):
			return s.fail(i, "")
		case text[i] == '"':
			i, _ = s.str(i)
		case text[i] == '{' || text[i] == '[':
			return i
		default:
			i = s.scalar(i)
		}
		if i < 0 {
			return i
		}
		if i < len(text) && text[i] <= ' ' {
			i = s.blank(i)
		}
		if i < len(text) && text[i] == ',' {
			if i++; i < len(text) && text[i] <= ' ' {
				i = s.blank(i)
			}
			continue
		}
		if i >= len(text) || text[i] != closing(object) {
			return s.fail(i, neither(object))
		}
		return i
	}
}

func neither(object bool) string {
	if object {
		return "neither a comma nor the end of the object"
	}
	return "neither a comma nor the end of the array"
}

func closing(object bool) byte {
	if object {
		return '}'
	}
	return ']'
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
	// Mostly there are no blanks, and then nothing is called to find that out.
	if i = end; i >= len(s.text) || s.text[i] != ':' {
		if i = s.blank(end); i >= len(s.text) || s.text[i] != ':' {
			return -1, escaped, s.fail(i, "no colon behind the name of a field")
		}
	}
	if i++; i < len(s.text) && s.text[i] <= ' ' {
		i = s.blank(i)
	}
	return end, escaped, i
}
