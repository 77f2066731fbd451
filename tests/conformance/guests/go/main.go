// Command go is the conformance guest of Go.
package main

import (
	"conformance/guest"

	wasmill "github.com/wasmill/wasmill/sdk/go"
)

func main() { wasmill.Run(&guest.Guest{}) }
