package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
)

// Source is the text of one configuration file.
type Source struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

const (
	maxFile  = 1 << 20  // bytes of one configuration file
	maxFiles = 4 << 20  // bytes of all
	maxGood  = 32 << 20 // bytes of the last good configuration: they are escaped there
)

// ReadSources reads the file and the conf.d/*.toml beside it, in the order of their names. If they
// have [enrol], what enrolment wrote into enrolled comes first, so that they override it; "" and a
// file that does not exist are nothing.
func ReadSources(file, enrolled string) ([]Source, error) {
	sources, err := readSources(file, nil)
	if err != nil || enrolled == "" || !wantsEnrolment(sources) {
		return sources, err
	}
	text, err := ReadFile(enrolled, maxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return sources, nil
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("reading what enrolment wrote: %w: %s", err, readers(enrolled))
	case err != nil:
		return nil, fmt.Errorf("reading what enrolment wrote: %w", err)
	}
	return append([]Source{{Name: enrolled, Text: string(text)}}, sources...), nil
}

// SourcesWith is ReadSources for a file that is going to have this text.
func SourcesWith(file, text string) ([]Source, error) { return readSources(file, &text) }

func readSources(file string, with *string) ([]Source, error) {
	names := []string{file}
	more, err := filepath.Glob(filepath.Join(filepath.Dir(file), "conf.d", "*.toml"))
	if err != nil {
		return nil, fmt.Errorf("listing conf.d beside %s: %w", file, err)
	}
	for _, name := range more {
		if !strings.HasPrefix(filepath.Base(name), ".") { // what editors keep beside a file
			names = append(names, name)
		}
	}
	sources, total := make([]Source, len(names)), 0
	for i, name := range names {
		var text []byte
		if i == 0 && with != nil {
			text = []byte(*with)
		} else {
			text, err = ReadFile(name, maxFile)
		}
		if errors.Is(err, fs.ErrNotExist) && i == 0 {
			return nil, fmt.Errorf("%w: write it, or name another one with -c", err)
		}
		if errors.Is(err, fs.ErrPermission) {
			return nil, fmt.Errorf("reading the configuration: %w: %s", err, readers(name))
		}
		if errors.Is(err, ErrIrregular) {
			return nil, fmt.Errorf("reading the configuration: %w: move it away, or name another file with -c", err)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the configuration: %w", err)
		}
		if total += len(text); total > maxFiles {
			return nil, fmt.Errorf("reading the configuration: %s: the files are larger than %d KiB together: are they the right ones?", name, maxFiles>>10)
		}
		sources[i] = Source{Name: name, Text: string(text)}
	}
	return sources, nil
}

// readers says who may read a file, and what to do for one who may not.
func readers(name string) string {
	var st syscall.Stat_t
	if err := syscall.Stat(name, &st); err != nil {
		return "this user may not enter a directory above it: run this with sudo"
	}
	return mayRead(name, uint32(st.Mode), userName(st.Uid), groupName(st.Gid))
}

// mayRead is readers for a file of this mode, owner and group.
func mayRead(name string, mode uint32, owner, group string) string {
	if mode&0o040 != 0 {
		return fmt.Sprintf("the user %s and the group %s may read it: run this with sudo, or as a user of that group", owner, group)
	}
	return fmt.Sprintf("only the user %s may read it: run this with sudo, or let the service's group read it: sudo chgrp fieldgate %s && sudo chmod 640 %s", owner, name, name)
}

func userName(id uint32) string {
	n := strconv.FormatUint(uint64(id), 10)
	if u, err := user.LookupId(n); err == nil {
		return u.Username
	}
	return n
}

func groupName(id uint32) string {
	n := strconv.FormatUint(uint64(id), 10)
	if g, err := user.LookupGroupId(n); err == nil {
		return g.Name
	}
	return n
}

// Parse makes a configuration of its sources. The error is of type Problems: all mistakes at once.
func Parse(sources []Source, catalogue Catalogue) (*Config, error) {
	r := newReporter()
	var tree *node
	for _, s := range sources {
		if n := parse(r, s.Name, []byte(s.Text)); n != nil {
			tree = merge(tree, n)
		}
	}
	if tree == nil {
		return nil, r.err()
	}
	b := &binder{reporter: r, place: map[string]*node{}, preset: map[string]string{}}
	b.applyTemplates(tree)
	preset := presets(r, tree, catalogue)
	b.notePresets(preset, "")
	tree = merge(preset, tree)
	c := defaults(catalogue)
	b.bind(tree, reflect.ValueOf(&c).Elem(), "")
	if n := b.place["mqtt.urls"]; n != nil && len(c.MQTT.URLs) == 0 {
		c.noBroker = n.val.file
	}
	b.check(&c, catalogue)
	b.sensorDefaults(&c)
	b.checkSensors(c.Sensors, catalogue.Drivers)
	b.checkNames(&c, catalogue.Names[c.Telemetry.Format])
	b.checkTimeFrom(&c)
	b.checkEnrol(&c)
	b.checkHomeAssistant(&c)
	r.nameSensors(c.Sensors)
	if c.Gateway.ID == "" && !b.set("gateway.id") {
		if id, err := thisMachine(); err != nil {
			b.report(b.at("gateway"), "gateway.id is missing, and there is no default for it: %v", err)
		} else {
			c.Gateway.ID = defaultID(id.hash)
			if id.warning != "" {
				c.identity = []string{id.warning}
			}
		}
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	c.labelSensors()
	c.settings, c.preset = b.settings(&c), b.preset
	if c.MQTT.ClientID == "" {
		c.MQTT.ClientID = c.Gateway.ID
	}
	if c.platform.Things && c.Cloud.Thing == "" {
		c.Cloud.Thing = c.MQTT.ClientID
	}
	return &c, nil
}

// Load reads and checks a configuration, without what enrolment wrote.
func Load(file string, catalogue Catalogue) (*Config, error) {
	sources, err := ReadSources(file, "")
	if err != nil {
		return nil, err
	}
	return Parse(sources, catalogue)
}

// SaveGood keeps sources as the last configuration that worked. They hold no secrets.
func SaveGood(file string, sources []Source) error {
	text, err := json.Marshal(sources)
	if err != nil {
		return err
	}
	if old, err := ReadFile(file, maxGood); err == nil && string(old) == string(text) {
		return nil
	}
	return ReplaceFile(file, text, 0o600)
}

// ReplaceFile makes a file durable that is there as a whole, or as it was before. Its neighbour
// file + ".new" is overwritten.
func ReplaceFile(file string, text []byte, mode fs.FileMode) error {
	tmp := file + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, file); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// LoadGood returns the sources that SaveGood kept; the error is fs.ErrNotExist if there never were
// any.
func LoadGood(file string) ([]Source, error) {
	text, err := ReadFile(file, maxGood)
	if err != nil {
		return nil, err
	}
	var sources []Source
	if err := json.Unmarshal(text, &sources); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return sources, nil
}
