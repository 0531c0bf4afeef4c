package gateway

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/fieldgate/fieldgate/"

// TestGatewayStaysSmall: what decides lives elsewhere.
func TestGatewayStaysSmall(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(f, "_test.go") {
			lines += bytes.Count(text, []byte("\n"))
		}
	}
	if lines == 0 || lines >= 600 {
		t.Errorf("%d lines, want less than 600", lines)
	}
}

// TestImportArrows holds the direction of the arrows: cmd -> internal/gateway -> domain packages ->
// leaves.
func TestImportArrows(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "../../...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	imports := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		imports[strings.TrimPrefix(fields[0], module)] = fields[1:]
	}
	if len(imports) < 20 {
		t.Fatalf("go list tells only %d packages", len(imports))
	}
	below := func(path string, roots ...string) bool {
		for _, r := range roots {
			if path == r || strings.HasPrefix(path, r+"/") {
				return true
			}
		}
		return false
	}
	// What a leaf may import of ours.
	leaves := []struct {
		leaf string
		may  []string
	}{
		{"drivers", []string{"drivers"}},
		{"mqtt", []string{"mqtt"}},
		{"buffer", nil},
		{"systemd", nil},
		{"config", []string{"drivers"}},
		{"internal/contract", nil},
		{"internal/ratelog", nil},
		{"internal/bounded", nil},
		{"internal/supervise", nil},
		{"internal/credential", []string{"config"}},
		{"internal/transport", []string{"config", "internal/credential", "mqtt"}},
		{"internal/filter", []string{"drivers", "config"}},
		{"internal/reading", []string{"drivers"}},
		{"internal/homeassistant", []string{"drivers", "config", "internal/contract", "internal/filter", "internal/sampling", "internal/shadow"}},
		{"internal/payload", []string{"internal/payload", "internal/reading", "drivers", "config"}},
	}
	for from, list := range imports {
		both := 0
		for _, path := range list {
			to, ours := strings.CutPrefix(path, module)
			if !ours {
				if below(from, "mqtt") && from != "mqtt/ws" && strings.Contains(strings.Split(path, "/")[0], ".") {
					t.Errorf("%s imports %s: it needs the standard library only", from, path)
				}
				// Its drivers register themselves and open hardware, which drivers/bus alone does.
				if strings.HasPrefix(path, "periph.io/x/host/") {
					t.Errorf("%s imports %s", from, path)
				}
				if path == "C" {
					t.Errorf("%s imports C", from)
				}
				continue
			}
			for _, l := range leaves {
				if below(from, l.leaf) && !below(to, l.may...) {
					t.Errorf("%s imports %s", from, to)
				}
			}
			// Drivers share what is below drivers/kit; they know neither each other nor the
			// machine.
			if below(from, "drivers") && !below(from, "drivers/all", "drivers/drivertest") && below(to, "drivers") &&
				to != "drivers" && !below(to, "drivers/kit") && !sameDriver(from, to) {
				t.Errorf("%s imports %s", from, to)
			}
			if below(to, "cmd") || to == "internal/gateway" && !below(from, "cmd", "internal/demo") {
				t.Errorf("%s imports %s", from, to)
			}
			if to == "mqtt" || to == "buffer" {
				both++
			}
			if to == "internal/control" && !below(from, "cmd", "internal/gateway", "internal/demo") {
				t.Errorf("%s imports %s: documents are in internal/contract, the socket is for those who serve it or ask", from, to)
			}
			if below(to, "drivers/bus", "drivers/all") && !below(from, "cmd", "cross") && !(from == "internal/scan" && to == "drivers/bus") {
				t.Errorf("%s imports %s: only cmd chooses the concrete parts, and scan looks at the hardware", from, to)
			}
		}
		if both == 2 && from != "internal/gateway" {
			t.Errorf("%s imports both mqtt and buffer", from)
		}
	}
}

// sameDriver reports whether two packages are below the same folder of drivers: a chip and its
// model.
func sameDriver(a, b string) bool {
	partsA, partsB := strings.Split(a, "/"), strings.Split(b, "/")
	return len(partsA) > 1 && len(partsB) > 1 && partsA[1] == partsB[1]
}
