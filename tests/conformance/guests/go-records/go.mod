module conformance-records

go 1.24

require (
	conformance v0.0.0
	github.com/wasmill/wasmill/sdk/go v0.1.0
)

replace (
	conformance => ../go
	github.com/wasmill/wasmill/sdk/go => ../../../../sdk/go
)
