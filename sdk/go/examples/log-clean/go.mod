module log-clean

go 1.24

require github.com/wasmill/wasmill/sdk/go v0.1.0

replace github.com/wasmill/wasmill/sdk/go => ../..
