package wasmill

import (
	"errors"

	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

// An instance is a module as the host sees it: between the contract and the author's methods. What it answers lies in
// memory that is used again for the next batch.
type instance struct {
	module  Module
	started bool
	routes  int
	reads   uint8
	batch   Batch
	out     Output
	answer  wire.Output
}

func init() {
	wire.NewInstance = func(module any) wire.Instance { return &instance{module: module.(Module)} }
}

func (i *instance) Describe() wire.Description {
	d := i.module.Describe()
	raw := wire.Description{Name: valid(d.Name), Version: valid(d.Version), Summary: valid(d.Summary)}
	for _, s := range d.Settings {
		setting := wire.Setting{Name: valid(s.Name), Summary: valid(s.Summary), Required: s.Required}
		if s.Default != "" {
			unset := valid(s.Default)
			setting.Default = &unset
		}
		raw.Settings = append(raw.Settings, setting)
	}
	return raw
}

func (i *instance) Init(settings [][2]string) (wire.Plan, error) {
	described := i.module.Describe().Settings
	config := newConfig(described, settings)
	for _, setting := range described {
		if _, given := config.Lookup(setting.Name); setting.Required && !given {
			return wire.Plan{}, errors.New("setting `" + setting.Name + "` is required: " + valid(setting.Summary))
		}
	}
	plan, err := i.module.Init(config)
	if err != nil {
		return wire.Plan{}, errors.New(valid(err.Error()))
	}
	raw := wire.Plan{Reads: uint8(plan.Reads & ReadAll)}
	if plan.Reads == 0 {
		raw.Reads = uint8(ReadAll)
	}
	for _, route := range plan.Routes {
		raw.Routes = append(raw.Routes, valid(route))
	}
	i.started, i.routes, i.reads = true, len(plan.Routes), raw.Reads
	return raw, nil
}

func (i *instance) Transform(batch *wire.Batch) (*wire.Output, error) {
	if !i.started {
		return nil, errors.New("transform was called before init")
	}
	i.batch.raw = batch
	i.out.reset(batch, i.routes)
	if err := i.module.Transform(&i.batch, &i.out); err != nil {
		return nil, err
	}
	if err := i.out.finish(&i.answer); err != nil {
		return nil, err
	}
	return &i.answer, nil
}
