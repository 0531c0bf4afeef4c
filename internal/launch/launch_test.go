package launch_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/launch"
)

const (
	good  = "[gateway]\nid = \"g\"\n[mqtt]\nurls = [\"mqtt://a\"]\n"
	other = "[gateway]\nid = \"g\"\n[mqtt]\nurls = [\"mqtt://b\"]\n"
	wrong = "[gateway]\nid = \"g\"\n[mqtt]\nurls = [\"http://b\"]\n"
)

// files has a current and a last good configuration; "" is none.
func files(t *testing.T, current, last string) launch.Files {
	t.Helper()
	dir := t.TempDir()
	f := launch.Files{Config: filepath.Join(dir, "c.toml"), Good: filepath.Join(dir, "good.json"),
		Catalogue: config.Catalogue{Formats: config.Words{{Name: "json"}}}}
	if current != "" {
		if err := os.WriteFile(f.Config, []byte(current), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	switch {
	case last == "broken":
		if err := os.WriteFile(f.Good, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	case last != "":
		if err := config.SaveGood(f.Good, []config.Source{{Name: f.Config, Text: last}}); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func TestChoose(t *testing.T) {
	for _, tt := range []struct {
		name, current, last string
		named               bool
		url, problem, err   string
	}{
		{"current", other, good, false, "mqtt://b", "", ""},
		{"wrong, and one ran before", wrong, good, false, "mqtt://a", "c.toml:4:", ""},
		{"missing, and one ran before", "", good, false, "mqtt://a", "no such file", ""},
		{"missing although it was named", "", good, true, "", "", "no such file"},
		{"wrong, and none ran before", wrong, "", false, "", "", "c.toml:4:"},
		{"both wrong", wrong, wrong, false, "", "", "this version cannot use the last good configuration either"},
		{"the last one cannot be read", wrong, "broken", false, "", "", "the last good configuration cannot be loaded either"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := files(t, tt.current, tt.last).Choose(tt.named)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("want %q, got %v", tt.err, err)
				}
				return
			}
			if err != nil || c.Config.MQTT.URLs[0] != tt.url || (c.State == launch.LastGood) != (tt.problem != "") {
				t.Fatalf("%+v, %v", c, err)
			}
			if tt.problem != "" && (len(c.Problems) != 1 || !strings.Contains(c.Problems[0], tt.problem)) {
				t.Errorf("problems %q", c.Problems)
			}
		})
	}
}

func TestFallBack(t *testing.T) {
	same := func(*config.Config) string { return "store" }
	apart := func(c *config.Config) string { return c.MQTT.URLs[0] }
	for _, tt := range []struct {
		name, current, last string
		why                 error
		store               func(*config.Config) string
		err                 string
	}{
		{"OK", other, good, errors.New("address in use"), same, ""},
		{"OK another store", other, good, &buffer.OpenError{Problem: errors.New("locked")}, apart, ""},
		{"the same store", other, good, &buffer.OpenError{Problem: errors.New("locked")}, same, "the same store"},
		{"the same configuration", good, good, errors.New("address in use"), same, "the configuration that fails is the last good one"},
		{"none", other, "", errors.New("address in use"), same, "no such file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := files(t, tt.current, tt.last)
			failed, err := f.Choose(false)
			if err != nil {
				t.Fatal(err)
			}
			c, err := f.FallBack(failed, tt.why, tt.store)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("want %q, got %v", tt.err, err)
				}
				return
			}
			if err != nil || c.State != launch.LastGood || c.Config.MQTT.URLs[0] != "mqtt://a" || len(c.Problems) != 1 || c.Problems[0] != tt.why.Error() {
				t.Errorf("%+v, %v", c, err)
			}
		})
	}
}
