// Command go-records is the conformance guest of Go for the world transform-records: the same module, built with the tag
// wasmill_records.
package main

import (
	"conformance/guest"

	wasmill "github.com/wasmill/wasmill/sdk/go"
)

func main() { wasmill.Run(&guest.Guest{}) }
