package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// nodeRED is the real program with the flow of docs/consumers.
type nodeRED struct {
	t        *testing.T
	broker   *mosquitto
	dir      string
	program  string
	port     string
	cmd      *exec.Cmd
	log      syncBuffer
	repeated int // lines that are there twice
}

// newNodeRED prepares the flow, in which only addresses are replaced, or skips.
func newNodeRED(t *testing.T, m *mosquitto) *nodeRED {
	t.Helper()
	program, err := filepath.Abs("../../bin/node-red/node_modules/node-red/red.js")
	if err == nil {
		_, err = os.Stat(program)
	}
	if err != nil {
		t.Skip("Node-RED is not installed: NOTHING IS PROVEN of its flow; make bin/node-red")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	l.Close()
	if err != nil {
		t.Fatal(err)
	}
	n := &nodeRED{t: t, broker: m, dir: t.TempDir(), program: program, port: port}
	text, err := os.ReadFile(filepath.Join(consumers, "node-red.json"))
	if err != nil {
		t.Fatal(err)
	}
	flow := string(text)
	for from, to := range map[string]string{"broker.example.com:1883": "127.0.0.1:" + m.port, "/data/readings.jsonl": n.dir + "/readings.jsonl"} {
		if strings.Count(flow, from) != 1 {
			t.Fatalf("the flow has %s not once", from)
		}
		flow = strings.Replace(flow, from, to, 1)
	}
	settings := fmt.Sprintf("module.exports = {uiHost: '127.0.0.1', uiPort: %s, flowFile: 'flow.json', httpAdminRoot: false, telemetry: {enabled: false}}\n", port)
	for name, text := range map[string]string{"flow.json": flow, "settings.js": settings, "package.json": `{"dependencies": {"mqtt": "5"}}`} {
		if err := os.WriteFile(filepath.Join(n.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// The module that the flow needs is the one that Node-RED brings along.
	if err := os.Mkdir(filepath.Join(n.dir, "node_modules"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(filepath.Dir(program), "..", "mqtt"), filepath.Join(n.dir, "node_modules", "mqtt")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.kill()
		if t.Failed() {
			t.Logf("Node-RED: %s", &n.log)
		}
	})
	return n
}

func (n *nodeRED) start() {
	n.t.Helper()
	const subscribed = "Sending SUBACK to node-red"
	before := strings.Count(n.broker.log.String(), subscribed)
	n.cmd = exec.Command("node", n.program, "--userDir", n.dir)
	n.cmd.Env = append(os.Environ(), "HOME="+n.dir)
	n.cmd.Stderr, n.cmd.Stdout = &n.log, &n.log
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	eventually(n.t, 60*time.Second, "Node-RED has subscribed", func() bool { return strings.Count(n.broker.log.String(), subscribed) > before })
}

func (n *nodeRED) kill() {
	if n.cmd != nil {
		_ = n.cmd.Process.Kill()
		_ = n.cmd.Wait()
		n.cmd = nil
	}
}

// readings reads the file as `sort -u` would leave it.
func (n *nodeRED) readings() map[string]kept {
	n.t.Helper()
	text, err := os.ReadFile(filepath.Join(n.dir, "readings.jsonl"))
	if err != nil {
		return nil
	}
	all, lines := map[string]kept{}, map[string]bool{}
	n.repeated = 0
	for line := range bytes.Lines(text) {
		if !bytes.HasSuffix(line, []byte("}]}\n")) {
			continue // it is being written
		}
		if lines[string(line)] {
			n.repeated++
			continue
		}
		lines[string(line)] = true
		for key, k := range documentReadings(n.t, line) {
			if _, ok := all[key]; ok {
				n.t.Errorf("%s is there twice", key)
			}
			all[key] = k
		}
	}
	return all
}

// TestNodeRED: a journey, compressed, stands once in the file that the flow writes, and verify
// reads that file.
func TestNodeRED(t *testing.T) {
	t.Parallel()
	m := newMosquitto(t, "allow_anonymous true", "log_type all")
	n := newNodeRED(t, m)
	j := newJourney(t, m, "compress = \"gzip\"\n")
	j.run(n, func(k kept) kept { return k })
	t.Logf("%d lines were there twice", n.repeated)
	if text, _ := j.g.command("verify", "--partial", filepath.Join(n.dir, "readings.jsonl")); !strings.Contains(text, " a ") {
		t.Errorf("verify reads nothing of the file:\n%s", text)
	}
}
