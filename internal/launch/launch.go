// Package launch chooses the configuration that a start of the gateway runs with: the current one,
// or the last one that worked if the current one is wrong or the gateway does not start with it.
package launch

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/config"
)

// States of the configuration that runs.
const (
	Current  = "current"
	LastGood = "last-good"
)

// A Choice is a configuration to run with.
type Choice struct {
	Config   *config.Config
	Sources  []config.Source
	State    string
	Problems []string // why it is not the current one
}

// Files are where configurations are.
type Files struct {
	Config    string // the current one
	Enrolled  string // what enrolment added to it, see config.ReadSources
	Good      string // the last one that worked
	Catalogue config.Catalogue
}

// Choose reads the configuration. If it is wrong and one ran before, it returns that one and the
// problems. A file that the user named and that does not exist is a mistake of the user, and no
// other is looked for.
func (f Files) Choose(named bool) (Choice, error) {
	sources, err := config.ReadSources(f.Config, f.Enrolled)
	if err == nil {
		c, problems := config.Parse(sources, f.Catalogue)
		if problems == nil {
			return Choice{c, sources, Current, nil}, nil
		}
		err = problems
	} else if named && errors.Is(err, fs.ErrNotExist) {
		return Choice{}, err
	}
	before, e := config.LoadGood(f.Good)
	if errors.Is(e, fs.ErrNotExist) {
		return Choice{}, err
	}
	if e != nil {
		return Choice{}, errors.Join(err, fmt.Errorf("the last good configuration cannot be loaded either: %w", e))
	}
	c, e := config.Parse(before, f.Catalogue)
	if e != nil {
		return Choice{}, errors.Join(err, fmt.Errorf("this version cannot use the last good configuration either: %w", e))
	}
	var list []string
	var problems config.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			list = append(list, fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Col, p.Msg))
		}
	} else {
		list = append(list, err.Error())
	}
	return Choice{c, before, LastGood, list}, nil
}

// FallBack returns the last good configuration after the gateway did not start with failed, which
// reads right, because of why. A store that both have would fail again. store returns where the
// store of a configuration is.
func (f Files) FallBack(failed Choice, why error, store func(*config.Config) string) (Choice, error) {
	before, err := config.LoadGood(f.Good)
	if err != nil {
		return Choice{}, err
	}
	if slices.Equal(before, failed.Sources) {
		return Choice{}, errors.New("the configuration that fails is the last good one")
	}
	c, err := config.Parse(before, f.Catalogue)
	if err != nil {
		return Choice{}, err
	}
	var open *buffer.OpenError
	if errors.As(why, &open) && store(c) == store(failed.Config) {
		return Choice{}, errors.New("it has the same store")
	}
	return Choice{c, before, LastGood, []string{why.Error()}}, nil
}
